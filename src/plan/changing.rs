//! What changes about an entity's members over time.

use std::sync::Arc;

use super::rota::Rota;
use crate::config::model::Entity;
use crate::generate::philox;

/// How the members of an entity change.
#[derive(Clone, Debug)]
pub struct Changing {
    /// How many members each lane of the model has.
    pub sizes: Arc<[u32]>,
    /// One more than the greatest number of a member: what the numbers of one generation are apart
    /// from those of the next.
    pub stride: u64,
    /// When members end, and others are born in their places.
    pub lifetime: Option<Arc<Rota>>,
    /// When attributes change, by the number of the attribute.
    pub attributes: Vec<Option<Arc<Rota>>>,
}

impl Changing {
    /// How an entity with so many members in each lane changes.
    pub fn new(entity: &Entity, seed: u64, sizes: Vec<u32>) -> Self {
        let lanes = sizes.len() as u64;
        let stride = (0..lanes).zip(&sizes).filter(|(_, size)| **size > 0);
        let stride = stride.map(|(lane, &size)| (u64::from(size) - 1) * lanes + lane + 1).max();
        let rota = |kind: &str, name: &str, period_us: u64| {
            Arc::new(Rota::new(&sizes, period_us, philox::key(seed, kind, name)))
        };
        let lifetime = entity.lifetime_us.as_ref();
        let lifetime = lifetime.map(|period| rota("lifetime", &entity.name, period.value));
        let attributes = entity.attributes.iter().map(|attribute| {
            let name = format!("{}.{}", entity.name, attribute.name);
            attribute.changes_us.as_ref().map(|period| rota("changes", &name, period.value))
        });
        let attributes = attributes.collect();
        Self { stride: stride.unwrap_or(1), lifetime, attributes, sizes: sizes.into() }
    }
}
