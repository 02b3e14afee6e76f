//! Populations and their families.

use super::super::model::{Activity, Attribute, BelongsTo, Entity, Popularity, Spread};
use super::super::reader::{At, Reader};
use super::super::{Span, Spanned, units};
use super::{Names, generator};

/// The most members that an entity can have.
const MEMBERS_MAX: i128 = (1 << 32) - 1;

/// The most members that one member of the entity above can have.
const EACH_MAX: u32 = 16;

/// `[entities.NAME]`.
pub(super) fn entities(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Vec<Entity> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut entities = Vec::new();
    for (entry, at) in section.all() {
        reader.well_formed("an entity", &entry.key, &entry.key_span);
        let Some(mut one) = reader.section(&at) else { continue };
        let count = one.get("count").and_then(|at| {
            let count = reader.whole(&at, &(1..=MEMBERS_MAX))?;
            Some(Spanned { value: u64::try_from(count).ok()?, span: at.node.span.clone() })
        });
        let activity = one.get("activity").and_then(|at| activity(reader, &at));
        let popularity = one.get("popularity").and_then(|at| popularity(reader, &at));
        let belongs_to = one.get("belongs_to").and_then(|at| belongs_to(reader, names, &at));
        let attributes =
            one.get("attributes").map(|at| attributes(reader, names, &at)).unwrap_or_default();
        reader.finish(one);
        let entity = Entity {
            name: entry.key.clone(),
            span: entry.key_span.clone(),
            count,
            activity,
            popularity: popularity.unwrap_or(Popularity::Uniform),
            belongs_to,
            attributes,
        };
        entities.push(entity);
    }
    entities
}

fn activity(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Activity> {
    // `activity = "2/day"` is short for a mean.
    if reader.is_text(at) {
        let mean_per_s = Some(reader.rate(at)?);
        return Some(Activity { mean_per_s, spread: Spread::Equal });
    }
    let mut section = reader.section(at)?;
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

fn popularity(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Popularity> {
    if reader.is_text(at) {
        return reader.one_of(at, &[("uniform", Popularity::Uniform)]);
    }
    let mut section = reader.section(at)?;
    let help = "write { zipf = 1.0 }, or \"uniform\"";
    let exponent = reader.require(&mut section, "zipf", help);
    let exponent = exponent.and_then(|at| reader.number(&at, &(0.0..=4.0)));
    reader.finish(section);
    exponent.map(|exponent| Popularity::Zipf { exponent })
}

fn belongs_to(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Option<BelongsTo> {
    // `belongs_to = "customer"` means one each.
    if reader.is_text(at) {
        let parent = known_entity(reader, names, at)?;
        return Some(BelongsTo { parent, each: vec![(1, 1.0)] });
    }
    let mut section = reader.section(at)?;
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
        if names.entities.contains(&entry.key) {
            let what = format!("`{}` is the name of an entity too", at.path);
            reader.refuse(&entry.key_span, what, "paths through a member would be ambiguous");
        }
        if let Some((generator, dealt)) = generator::attribute(reader, names, &at) {
            attributes.push(Attribute { name: entry.key.clone(), generator, dealt });
        }
    }
    attributes
}

/// Checks what holds between entities: no cycles, and a size for each family.
pub(super) fn check_families(reader: &mut Reader<'_>, entities: &[Entity], has_rate: bool) {
    for entity in entities {
        match root(entities, entity) {
            Err(cycle) => {
                let span = entity.belongs_to.as_ref().map_or(&entity.span, |b| &b.parent.span);
                let what = format!("`{}` belongs to itself: {cycle}", entity.name);
                reader.refuse(span, what, "a family has one entity at its top");
            }
            Ok(top) if std::ptr::eq(top, entity) => check_size(reader, entities, entity, has_rate),
            Ok(_) => {}
        }
    }
}

/// The entity at the top of the family, or the cycle that there is instead.
fn root<'e>(entities: &'e [Entity], entity: &'e Entity) -> Result<&'e Entity, String> {
    let mut way = vec![entity.name.as_str()];
    let mut at = entity;
    while let Some(above) = &at.belongs_to {
        let Some(parent) = entities.iter().find(|other| other.name == above.parent.value) else {
            // Its own mistakes were told already.
            return Ok(at);
        };
        way.push(&parent.name);
        if way[..way.len() - 1].contains(&parent.name.as_str()) {
            return Err(way.join(" → "));
        }
        at = parent;
    }
    Ok(at)
}

/// A family's size is given once: as a count, or by the rate and the activity.
fn check_size(reader: &mut Reader<'_>, entities: &[Entity], top: &Entity, has_rate: bool) {
    let family: Vec<&Entity> = entities
        .iter()
        .filter(|entity| root(entities, entity).is_ok_and(|root| std::ptr::eq(root, top)))
        .collect();
    let counts: Vec<&Spanned<u64>> = family.iter().filter_map(|one| one.count.as_ref()).collect();
    let active: Vec<&&Entity> = family.iter().filter(|one| one.activity.is_some()).collect();
    if let [first, second, ..] = counts[..] {
        let span: &Span =
            if first.span.start > second.span.start { &first.span } else { &second.span };
        let what =
            format!("the family of `{}` has two counts, but one follows from the other", top.name);
        reader.refuse(span, what, "keep one of them");
    }
    if let [_, second, ..] = active[..] {
        let what = format!("the family of `{}` has two entities that act", top.name);
        reader.refuse(&second.span, what, "keep `activity` at the one that streams are keyed by");
        return;
    }
    let Some(actor) = active.first() else {
        if counts.is_empty() {
            let what = format!("the entity `{}` has no `count`", top.name);
            reader.refuse(&top.span, what, "say how many there are: count = 10_000");
        }
        return;
    };
    let has_mean = actor.activity.as_ref().is_some_and(|activity| activity.mean_per_s.is_some());
    let givens =
        [("a rate", has_rate), ("a count", !counts.is_empty()), ("a mean activity", has_mean)];
    let missing: Vec<&str> = givens.iter().filter(|given| !given.1).map(|given| given.0).collect();
    match missing[..] {
        [] => {
            let what = format!(
                "`{}` has a rate, a count and a mean activity, but any two decide the third",
                actor.name
            );
            let help = "leave out `traffic.rate`, `count`, or `mean` in `activity`";
            reader.refuse(&actor.span, what, help);
        }
        [_] => {}
        _ => {
            let what = format!(
                "how many `{}` there are does not follow: {} are missing",
                actor.name,
                missing.join(" and ")
            );
            reader.refuse(&actor.span, what, "of rate, count and mean activity give two");
        }
    }
}
