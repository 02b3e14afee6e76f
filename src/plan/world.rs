//! The world of a model: its tables and populations, resolved.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::changing::Changing;
use super::compile::Blend;
use super::family::{Kinship, in_lane};
use super::population::{Dealing, Population};
use super::quantile::Quantile;
use super::ranks::Ranks;
use crate::config::model::{Entity, Generator, Model, Popularity, Spread, Table};
use crate::config::{Mistake, Span};
use crate::generate::philox;

/// The greatest number of members of an entity.
pub const MEMBERS_MAX: u64 = u32::MAX as u64;
/// The greatest number of groups that members are dealt over.
const GROUPS_MAX: usize = 16_384;

/// A model's entities with their numbers, families and groups.
#[derive(Debug)]
pub struct World<'a> {
    /// The model.
    pub model: &'a Model,
    /// By the number of the entity.
    pub kinds: Vec<Kind<'a>>,
    /// Tables that were worked out for one stream, for the others that read the same value.
    pub(super) blends: RefCell<Vec<(Blend, Arc<[Quantile]>)>>,
}

/// An entity, resolved.
#[derive(Debug)]
pub struct Kind<'a> {
    /// What the user wrote.
    pub entity: &'a Entity,
    /// How many members there are.
    pub count: u64,
    /// The entity above in the family.
    pub parent: Option<(usize, Arc<Kinship>)>,
    /// Who acts, with the groups of the family.
    pub actors: Arc<Population>,
    /// Who is picked, with the groups of the family.
    pub picked: Arc<Population>,
    /// Attributes that the family is dealt by: entity, attribute and the value of each group.
    pub dealt: Vec<Dealt>,
    /// The key of the members' attributes.
    pub key: [u32; 2],
    /// What changes about members over time.
    pub changing: Changing,
}

/// An attribute that members are dealt out by.
#[derive(Clone, Debug)]
pub struct Dealt {
    /// The entity that has it.
    pub entity: usize,
    /// The number of the attribute there.
    pub attribute: usize,
    /// How many values it has.
    pub values: usize,
    /// The number of the value, by group.
    pub value_of_group: Arc<[i64]>,
}

/// What entities are resolved from, step by step.
struct Draft<'a> {
    model: &'a Model,
    parents: Vec<Option<usize>>,
    lanes: Vec<u32>,
    counts: Vec<Option<u64>>,
    /// Whether an entity's members follow from those above: then each lane has as many as they need.
    follows: Vec<bool>,
    kinships: Vec<Option<Kinship>>,
    mistakes: Vec<Mistake>,
}

impl<'a> World<'a> {
    /// Resolves a model's entities; `rates` are the rates a second of the streams whose actors they
    /// are, by entity name.
    pub fn new(model: &'a Model, rates: &BTreeMap<&str, f64>) -> Result<Self, Vec<Mistake>> {
        let mut draft = Draft::new(model);
        draft.anchor(rates);
        draft.spread();
        let kinds = (0..model.entities.len()).filter_map(|number| draft.kind(number)).collect();
        // Each member of a family meets the mistakes of the whole family.
        draft.mistakes.dedup();
        if draft.mistakes.is_empty() {
            Ok(Self { model, kinds, blends: RefCell::default() })
        } else {
            Err(draft.mistakes)
        }
    }

    /// The number of an entity.
    pub fn entity(&self, name: &str) -> Option<usize> {
        self.kinds.iter().position(|kind| kind.entity.name == name)
    }

    /// The number of a table.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.model.tables.iter().position(|table| table.name == name)
    }
}

impl<'a> Draft<'a> {
    fn new(model: &'a Model) -> Self {
        let numbers: BTreeMap<_, _> = model
            .entities
            .iter()
            .enumerate()
            .map(|(number, entity)| (entity.name.as_str(), number))
            .collect();
        let parents: Vec<Option<usize>> = model
            .entities
            .iter()
            .map(|entity| {
                let parent = &entity.belongs_to.as_ref()?.parent.value;
                numbers.get(parent.as_str()).copied()
            })
            .collect();
        let mut draft = Self {
            model,
            parents,
            lanes: Vec::new(),
            counts: vec![None; model.entities.len()],
            follows: vec![false; model.entities.len()],
            kinships: Vec::new(),
            mistakes: Vec::new(),
        };
        let acting: Vec<usize> = model
            .entities
            .iter()
            .enumerate()
            .filter(|(_, entity)| entity.activity.is_some())
            .map(|(number, _)| draft.root(number))
            .collect();
        draft.lanes = (0..model.entities.len())
            .map(
                |number| {
                    if acting.contains(&draft.root(number)) { u32::from(model.lanes) } else { 1 }
                },
            )
            .collect();
        draft.kinships = model
            .entities
            .iter()
            .zip(&draft.lanes)
            .map(|(entity, &lanes)| Some(Kinship::new(lanes, &entity.belongs_to.as_ref()?.each)))
            .collect();
        draft
    }

    /// The top of an entity's family. (The configuration has refused cycles.)
    fn root(&self, mut number: usize) -> usize {
        for _ in 0..self.parents.len() {
            match self.parents[number] {
                Some(parent) => number = parent,
                None => break,
            }
        }
        number
    }

    fn refuse(&mut self, span: &Span, what: String, help: &str) {
        self.mistakes.push(Mistake { span: span.clone(), what, help: Some(help.to_owned()) });
    }

    /// Counts that are given, or follow from rate and activity.
    fn anchor(&mut self, rates: &BTreeMap<&str, f64>) {
        for (number, entity) in self.model.entities.iter().enumerate() {
            let mean = entity.activity.as_ref().and_then(|activity| activity.mean_per_s.as_ref());
            let derived = match (&entity.count, mean, rates.get(entity.name.as_str())) {
                (Some(count), _, _) => Some(count.value),
                (None, Some(mean), Some(rate)) => {
                    let members = libm::round(rate / mean.value).max(1.0);
                    if members > MEMBERS_MAX as f64 {
                        let what = format!(
                            "the rate of {rate}/s at this activity needs {members} members of \
                             `{}`, but the limit is {MEMBERS_MAX}",
                            entity.name
                        );
                        self.refuse(&mean.span, what, "lower the rate or raise the activity");
                    }
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "between 1 and the limit"
                    )]
                    let members = members.min(MEMBERS_MAX as f64) as u64;
                    Some(members)
                }
                _ => None,
            };
            self.counts[number] = derived;
        }
    }

    /// Counts of the rest of each family, and the bounds of kinships.
    fn spread(&mut self) {
        for _ in 0..self.counts.len() {
            for child in 0..self.counts.len() {
                let (Some(parent), Some(kinship)) = (self.parents[child], &self.kinships[child])
                else {
                    continue;
                };
                match (self.counts[parent], self.counts[child]) {
                    (None, Some(count)) => {
                        self.counts[parent] = Some(kinship.count_above_of(count));
                    }
                    (Some(_), None) => {
                        self.follows[child] = true;
                        let lanes = 0..self.lanes[child];
                        self.counts[child] = Some(lanes.map(|lane| self.size(child, lane)).sum());
                    }
                    _ => {}
                }
            }
        }
        for child in 0..self.counts.len() {
            let Some(count) = self.counts[child].filter(|_| !self.follows[child]) else { continue };
            let Some(kinship) = self.kinships[child].take() else { continue };
            let parents = self.parents[child].and_then(|parent| self.counts[parent]);
            let entity = &self.model.entities[child];
            if parents.is_some_and(|parents| kinship.count_above_of(count) != parents) {
                let span = entity.count.as_ref().map_or(&entity.span, |count| &count.span);
                let what = format!(
                    "{count} members of `{}` do not go with {} above at this `each`",
                    entity.name,
                    parents.unwrap_or(0)
                );
                self.refuse(span, what, "leave one of the two counts out: it follows");
            }
            self.kinships[child] = Some(kinship.with_count_below(count));
        }
    }

    /// How many members of an entity are in a lane.
    fn size(&self, number: usize, lane: u32) -> u64 {
        match (self.parents[number], &self.kinships[number]) {
            (Some(parent), Some(kinship)) if self.follows[number] => {
                kinship.first_child(self.size(parent, lane))
            }
            _ => in_lane(self.counts[number].unwrap_or(0), u64::from(lane), self.lanes[number]),
        }
    }

    /// How many members of an entity are in each of the model's lanes.
    fn sizes(&self, number: usize) -> Vec<u32> {
        let lanes = u32::from(self.model.lanes);
        let size = |lane| {
            if self.lanes[number] == lanes {
                self.size(number, lane)
            } else {
                in_lane(self.size(number, 0), u64::from(lane), lanes)
            }
        };
        (0..lanes).map(|lane| u32::try_from(size(lane)).unwrap_or(u32::MAX)).collect()
    }

    fn kind(&mut self, number: usize) -> Option<Kind<'a>> {
        let entity = &self.model.entities[number];
        let Some(count) = self.counts[number] else {
            let what = format!("nothing says how many members `{}` has", entity.name);
            self.refuse(
                &entity.span,
                what,
                "set `count`, or `activity` with a rate, or `belongs_to`",
            );
            return None;
        };
        if count == 0 || count > MEMBERS_MAX {
            let what =
                format!("`{}` has {count} members, but 1 to {MEMBERS_MAX} can be", entity.name);
            self.refuse(&entity.span, what, "change `count`, the rate or the activity");
            return None;
        }
        let root = self.root(number);
        let (dealt, weights) = self.dealt(root)?;
        let lanes = self.lanes[number];
        let key = philox::key(self.model.seed, "entity", &entity.name);
        let population = |ranks| {
            let dealing = Dealing { count, lanes, weights: &weights, ranks, key };
            if number == root {
                return Arc::new(Population::new(&dealing));
            }
            let top = self.top_population(root, &weights);
            let size = |lane| self.size(number, lane);
            Arc::new(Population::with_bases(&dealing, size, |lane, group, _| {
                self.descend(number, root, top.group_base(lane, group))
            }))
        };
        let actors = population(match entity.activity.as_ref().map(|activity| activity.spread) {
            Some(Spread::Gamma { shape }) => Ranks::Gamma(shape),
            Some(Spread::Equal) | None => Ranks::Uniform,
        });
        let picked = match &entity.popularity {
            Popularity::Uniform if entity.activity.is_none() => Arc::clone(&actors),
            Popularity::Uniform => population(Ranks::Uniform),
            Popularity::Zipf { exponent } => population(Ranks::Zipf(*exponent)),
            Popularity::Histogram { shares } => population(Ranks::Shares(Arc::clone(shares))),
        };
        let parent = self.parents[number].zip(self.kinships[number].clone());
        Some(Kind {
            entity,
            count,
            parent: parent.map(|(parent, kinship)| (parent, Arc::new(kinship))),
            actors,
            picked,
            dealt,
            key,
            changing: Changing::new(entity, self.model.seed, self.sizes(number)),
        })
    }

    /// The groups of the top of a family.
    fn top_population(&self, root: usize, weights: &[f64]) -> Population {
        Population::new(&Dealing {
            count: self.counts[root].unwrap_or(1),
            lanes: self.lanes[root],
            weights,
            ranks: Ranks::Uniform,
            key: [0, 0],
        })
    }

    /// The first index of `number`'s members that belong to an index of the family's top.
    fn descend(&self, number: usize, root: usize, index: u64) -> u64 {
        let Some(parent) = self.parents[number].filter(|_| number != root) else { return index };
        let above = self.descend(parent, root, index);
        self.kinships[number].as_ref().map_or(above, |kinship| kinship.first_child(above))
    }

    /// What a family is dealt by, and what each group weighs.
    fn dealt(&mut self, root: usize) -> Option<(Vec<Dealt>, Vec<f64>)> {
        let mut parts = Vec::new();
        for number in 0..self.model.entities.len() {
            if self.root(number) != root {
                continue;
            }
            let entity = &self.model.entities[number];
            for (attribute, it) in entity.attributes.iter().enumerate().filter(|(_, it)| it.dealt) {
                match value_weights(&it.generator.value, self.model) {
                    Ok(weights) => parts.push((number, attribute, weights)),
                    Err(what) => {
                        self.refuse(&it.generator.span, what, "deal by a table or a choice");
                        return None;
                    }
                }
            }
        }
        let groups: usize = parts.iter().map(|(.., weights)| weights.len()).product();
        if groups > GROUPS_MAX {
            let entity = &self.model.entities[root];
            let what =
                format!("members are dealt over {groups} groups, but the limit is {GROUPS_MAX}");
            self.refuse(&entity.span, what, "use a smaller table, or deal by fewer attributes");
            return None;
        }
        let mut weights = vec![1.0; groups];
        let mut dealt = Vec::new();
        let mut after = groups;
        for (entity, attribute, own) in parts {
            after /= own.len();
            let value = |group: usize| group / after % own.len();
            for (group, weight) in weights.iter_mut().enumerate() {
                *weight *= own[value(group)];
            }
            #[expect(clippy::cast_possible_wrap, reason = "there are fewer groups than 16,385")]
            let value_of_group = (0..groups).map(|group| value(group) as i64).collect();
            dealt.push(Dealt { entity, attribute, values: own.len(), value_of_group });
        }
        Some((dealt, weights))
    }
}

/// The weights of the values of a generator that members can be dealt by.
fn value_weights(generator: &Generator, model: &Model) -> Result<Vec<f64>, String> {
    match generator {
        Generator::Choice(values) => Ok(values.iter().map(|(_, weight)| *weight).collect()),
        Generator::Table { table, weight, .. } => {
            let found = model.tables.iter().find(|it| it.name == table.value);
            let found = found.ok_or_else(|| format!("there is no table `{}`", table.value))?;
            row_weights(found, weight.as_ref().map(|weight| weight.value.as_str()))
        }
        _ => Err("only `table` and `choice` have values that members can be dealt over".to_owned()),
    }
}

/// The weights of a table's rows, by a column or the table's own.
pub(super) fn row_weights(table: &Table, column: Option<&str>) -> Result<Vec<f64>, String> {
    let name = column.or(table.weight.as_ref().map(|weight| weight.value.as_str()));
    let rows = table.columns.first().map_or(0, |column| column.cells.len());
    let Some(name) = name else { return Ok(vec![1.0; rows]) };
    let column = table
        .columns
        .iter()
        .find(|column| column.name == name)
        .ok_or_else(|| format!("table `{}` has no column `{name}`", table.name))?;
    let weights: Vec<f64> = column
        .cells
        .iter()
        .enumerate()
        .map(|(row, cell)| match cell.parse::<f64>() {
            Ok(weight) if weight.is_finite() && weight >= 0.0 => Ok(weight),
            _ => Err(format!(
                "row {} of table `{}` has the weight `{cell}`, but 0 or more is needed",
                row + 1,
                table.name
            )),
        })
        .collect::<Result<_, _>>()?;
    if weights.iter().sum::<f64>() > 0.0 {
        Ok(weights)
    } else {
        Err(format!("all weights in column `{name}` of table `{}` are 0", table.name))
    }
}
