//! Populations and their families.

use super::super::model::{Activity, Attribute, BelongsTo, Entity, Popularity, Spread};
use super::super::reader::{At, Reader};
use super::super::{Spanned, units};
use super::generator::OfAttribute;
use super::{Names, changelog, generator, periods, popularity};

/// The most members that an entity can have.
const MEMBERS_MAX: i128 = (1 << 32) - 1;

/// The most members that one member of the entity above can have.
const EACH_MAX: u32 = 16;

/// The entities of a model, and the names of those whose size has mistakes of its own.
#[derive(Debug, Default)]
pub(super) struct Entities {
    pub(super) all: Vec<Entity>,
    unsized_names: Vec<String>,
    /// Whether an entity's place in a family could not be read: its size may be the family's.
    has_broken_link: bool,
    pub(super) changelogs: Vec<changelog::Written>,
}

/// `[entities.NAME]`.
pub(super) fn entities(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Entities {
    let mut entities = Entities::default();
    let Some(section) = reader.section(at) else { return entities };
    for (entry, at) in section.all() {
        reader.well_formed("an entity", &entry.key, &entry.key_span);
        let Some(mut one) = reader.section(&at) else { continue };
        let count = one.get("count").and_then(|at| {
            let count = reader.whole(&at, &(1..=MEMBERS_MAX))?;
            Some(Spanned { value: u64::try_from(count).ok()?, span: at.node.span.clone() })
        });
        let activity = one.get("activity").and_then(|at| activity(reader, &at));
        let popularity = one.get("popularity").and_then(|at| popularity::popularity(reader, &at));
        let belongs_to = one.get("belongs_to").and_then(|at| belongs_to(reader, names, &at));
        let lifetime_us = one.get("lifetime").and_then(|at| periods::period(reader, &at, 60));
        let given = [
            one.has("count") && count.is_none(),
            one.has("activity") && activity.is_none(),
            one.has("belongs_to") && belongs_to.is_none(),
        ];
        entities.has_broken_link |= given[2];
        if given.contains(&true) {
            entities.unsized_names.push(entry.key.clone());
        }
        let attributes =
            one.get("attributes").map(|at| attributes(reader, names, &at)).unwrap_or_default();
        if let Some((above, at)) = belongs_to.as_ref().zip(one.get("attributes")) {
            check_names(reader, &above.parent.value, &at);
        }
        let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
        if let Some(at) = one.get("changelog") {
            entities.changelogs.extend(changelog::changelog(reader, names, &name, &at));
        }
        reader.finish(one);
        let entity = Entity {
            name: entry.key.clone(),
            span: entry.key_span.clone(),
            count,
            activity,
            popularity: popularity.unwrap_or(Popularity::Uniform),
            belongs_to,
            lifetime_us,
            attributes,
        };
        entities.all.push(entity);
    }
    entities
}

fn activity(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Activity> {
    // `activity = "2/day"` is short for a mean.
    if at.is_text() {
        let mean_per_s = Some(reader.rate(at)?);
        return Some(Activity { mean_per_s, spread: Spread::Equal });
    }
    let mut section = reader.section_beside_text(at)?;
    let mean_per_s = section.get("mean").and_then(|at| reader.rate(&at));
    let kind = section
        .get("spread")
        .and_then(|at| reader.one_of(&at, &[("equal", false), ("gamma", true)]));
    let shape = section.get("shape");
    let spread = match (kind.unwrap_or(false), shape) {
        (true, shape) => {
            let shape = shape.map_or(Some(1.0), |at| reader.number(&at, &(0.01..=1_000.0)));
            shape.map(|shape| Spread::Gamma { shape })
        }
        (false, Some(at)) => {
            let what = format!("`{}` has a meaning only with `spread = \"gamma\"`", at.path);
            reader.refuse(&at.key_span, what, "");
            None
        }
        (false, None) => Some(Spread::Equal),
    };
    reader.finish(section);
    Some(Activity { mean_per_s, spread: spread? })
}

fn belongs_to(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Option<BelongsTo> {
    // `belongs_to = "customer"` means one each.
    if at.is_text() {
        let parent = known_entity(reader, names, at)?;
        return Some(BelongsTo { parent, each: vec![(1, 1.0)] });
    }
    let mut section = reader.section_beside_text(at)?;
    let parent = reader
        .require(&mut section, "entity", "name the entity above")
        .and_then(|at| known_entity(reader, names, &at));
    let each = section.get("each").map_or(Some(vec![(1, 1.0)]), |at| each(reader, &at));
    reader.finish(section);
    Some(BelongsTo { parent: parent?, each: each? })
}

/// The name of an entity that there is.
pub(super) fn known_entity(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
) -> Option<Spanned<String>> {
    let name = reader.text(at)?;
    if names.entities.contains(&name.value) {
        return Some(name);
    }
    reader.unknown("entity", &name, names.entities.iter().map(String::as_str));
    None
}

fn each(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Vec<(u32, f64)>> {
    if at.node.entries().is_none() {
        let count = reader.whole(at, &(1..=i128::from(EACH_MAX)))?;
        return Some(vec![(u32::try_from(count).ok()?, 1.0)]);
    }
    let section = reader.section(at)?;
    let mut each = Vec::new();
    let mut good = true;
    for (entry, at) in section.all() {
        let count = units::count(&entry.key).ok().and_then(|count| u32::try_from(count).ok());
        let weight = reader.positive(&at);
        match (count.filter(|count| (1..=EACH_MAX).contains(count)), weight) {
            (Some(count), Some(weight)) => each.push((count, weight)),
            (None, _) => {
                let what = format!(
                    "`{}` gives {} members to one, but 1 to {EACH_MAX} are possible",
                    section.path, entry.key
                );
                reader.refuse(&entry.key_span, what, "");
                good = false;
            }
            (_, None) => good = false,
        }
    }
    if each.is_empty() && good {
        reader.refuse(&at.node.span, format!("`{}` is empty", at.path), "write { 1 = 1.0 }");
        good = false;
    }
    good.then_some(each)
}

fn attributes(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Vec<Attribute> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut attributes = Vec::new();
    for (entry, at) in section.all() {
        reader.well_formed("an attribute", &entry.key, &entry.key_span);
        if let Some((generator, own)) = generator::attribute(reader, names, &at) {
            let OfAttribute { dealt, changes_us } = own;
            attributes.push(Attribute { name: entry.key.clone(), generator, dealt, changes_us });
        }
    }
    attributes
}

/// `account.customer` is the member above, and cannot be an attribute as well.
fn check_names(reader: &mut Reader<'_>, parent: &str, attributes: &At<'_>) {
    let entries = attributes.node.entries().unwrap_or_default();
    if let Some(entry) = entries.iter().find(|entry| entry.key == parent) {
        let what = format!("`{}.{parent}` is the name of the entity above too", attributes.path);
        reader.refuse(&entry.key_span, what, "a path through it would be ambiguous: rename it");
    }
}

/// What is known of rates when the sizes of families are checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// Whether there is any rate.
    pub(super) any: bool,
    /// Whether it must be that of the one stream that follows no other.
    pub(super) of_one_stream: bool,
}

/// Checks what holds between entities: no cycles, and a size for each family.
pub(super) fn check_families(reader: &mut Reader<'_>, entities: &Entities, rates: Rates) {
    for entity in &entities.all {
        match root(&entities.all, entity) {
            Err(cycle) if !is_told_at(&cycle, entity, &entities.all) => {}
            Err(cycle) => {
                let cycle = cycle.join(" → ");
                let span = entity.belongs_to.as_ref().map_or(&entity.span, |b| &b.parent.span);
                let what = format!("`{}` belongs to itself: {cycle}", entity.name);
                reader.refuse(span, what, "a family has one entity at its top");
            }
            Ok(top) if std::ptr::eq(top, entity) => {
                let family: Vec<&Entity> = (entities.all.iter())
                    .filter(|one| root(&entities.all, one).is_ok_and(|r| std::ptr::eq(r, top)))
                    .collect();
                // What has mistakes of its own would only bring more of them here.
                let broken = family.iter().any(|one| entities.unsized_names.contains(&one.name));
                let counted = family.iter().any(|one| one.count.is_some());
                if !broken && (counted || !entities.has_broken_link) {
                    check_size(reader, &family, top, rates);
                }
            }
            Ok(_) => {}
        }
    }
}

/// The entity at the top of the family, or the cycle that there is instead.
fn root<'e>(entities: &'e [Entity], entity: &'e Entity) -> Result<&'e Entity, Vec<&'e str>> {
    let mut way = vec![entity.name.as_str()];
    let mut at = entity;
    while let Some(above) = &at.belongs_to {
        let Some(parent) = entities.iter().find(|other| other.name == above.parent.value) else {
            // Its own mistakes were told already.
            return Ok(at);
        };
        way.push(&parent.name);
        if way[..way.len() - 1].contains(&parent.name.as_str()) {
            return Err(way);
        }
        at = parent;
    }
    Ok(at)
}

/// A cycle is told once: at the first of its members. Who hangs on to it is not in it.
fn is_told_at(cycle: &[&str], entity: &Entity, entities: &[Entity]) -> bool {
    let first = entities.iter().find(|one| cycle.contains(&one.name.as_str()));
    cycle.last() == Some(&entity.name.as_str())
        && first.is_some_and(|one| std::ptr::eq(one, entity))
}

/// A family's size is given once: as a count, or by the rate and the activity.
fn check_size(reader: &mut Reader<'_>, family: &[&Entity], top: &Entity, rates: Rates) {
    let counts: Vec<&Spanned<u64>> = family.iter().filter_map(|one| one.count.as_ref()).collect();
    if let [first, second, ..] = counts[..] {
        let later = if first.span.start > second.span.start { first } else { second };
        let what = format!("the family of `{}` has two counts", top.name);
        reader.refuse(&later.span, what, "keep one of them: the other follows from `each`");
    }
    let actors: Vec<&&Entity> = family.iter().filter(|one| one.activity.is_some()).collect();
    let Some(actor) = actors.first() else {
        if counts.is_empty() {
            let what = format!("how many `{}` there are is not said", top.name);
            reader.refuse(&top.span, what, "give a count, here or in its family: count = 10_000");
        }
        return;
    };
    let has_mean = actor.activity.as_ref().is_some_and(|activity| activity.mean_per_s.is_some());
    let missing: Vec<&str> =
        [("a rate", rates.any), ("a count", !counts.is_empty()), ("a mean activity", has_mean)]
            .iter()
            .filter(|given| !given.1)
            .map(|given| given.0)
            .collect();
    let of_three = "of rate, count and mean activity give two: the third follows";
    if missing.len() > 1 {
        let noun = missing.join(" and ");
        let what = format!("how many `{}` there are does not follow without {noun}", actor.name);
        reader.refuse(&actor.span, what, of_three);
    } else if missing.is_empty() && rates.of_one_stream && actors.len() == 1 {
        let what = format!("`{}` has a rate, a count and a mean activity", actor.name);
        reader.refuse(&actor.span, what, of_three);
    }
}
