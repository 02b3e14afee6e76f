//! Several sources read as one.

use std::time::Duration;

use super::{Error, Page, Partition, Position, Read, Source};

/// Sources one after the other: the partitions of the first come first.
pub struct Together {
    sources: Vec<Box<dyn Source>>,
    partitions: Vec<Partition>,
}

impl std::fmt::Debug for Together {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Together")
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

impl Together {
    /// Reads all of them.
    pub fn new(sources: Vec<Box<dyn Source>>) -> Self {
        let mut together = Self { sources, partitions: Vec::new() };
        together.look();
        together
    }

    fn look(&mut self) {
        let all = self.sources.iter().flat_map(|source| source.partitions());
        self.partitions = all.cloned().collect();
    }
}

impl Source for Together {
    fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    fn read(
        &mut self,
        mut partition: usize,
        page: &mut Page,
        patience: Duration,
    ) -> Result<Read, Error> {
        for source in &mut self.sources {
            let own = source.partitions().len();
            if partition < own {
                return source.read(partition, page, patience);
            }
            partition -= own;
        }
        page.clear();
        Ok(Read::End)
    }

    fn lasts(&mut self) -> Result<Vec<Option<Position>>, Error> {
        let mut all = Vec::with_capacity(self.partitions.len());
        for source in &mut self.sources {
            all.extend(source.lasts()?);
        }
        // What has expired meanwhile shows only here.
        self.look();
        Ok(all)
    }
}
