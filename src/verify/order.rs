//! Whether the events of a key come in send order, as far back as memory goes.

use super::table::Table;

/// What is known of an event's place among those of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// No later event of its key came before it.
    Kept,
    /// A later one did.
    Broken,
    /// What its key's last one was is forgotten, and may have been a later one.
    Unchecked,
}

/// The last event of each key of a partition.
///
/// Keys are kept in two generations, and the older one is forgotten as a whole. An event that comes after
/// all that were forgotten is in order whatever its key was; only one that does not is unchecked.
#[derive(Debug)]
pub struct Keys {
    remembered_max: usize,
    young: Generation,
    old: Generation,
    /// The greatest rank that was forgotten.
    forgotten: Option<u64>,
}

#[derive(Debug, Default)]
struct Generation {
    ranks: Table<u64, u64>,
    greatest: Option<u64>,
}

impl Keys {
    /// Remembers so many keys at least, twice as many at most.
    pub fn new(remembered_max: usize) -> Self {
        let (young, old) = (Generation::default(), Generation::default());
        Self { remembered_max: remembered_max.max(1), young, old, forgotten: None }
    }

    /// Notes an event of a key, by the key's hash and the event's rank in send order.
    pub fn note(&mut self, key: u64, rank: u64) -> Order {
        let known = self.young.ranks.get(&key).or_else(|| self.old.ranks.get(&key)).copied();
        let order = match known {
            Some(last) if last > rank => Order::Broken,
            None if self.forgotten.is_some_and(|forgotten| forgotten > rank) => Order::Unchecked,
            Some(_) | None => Order::Kept,
        };
        let rank = known.map_or(rank, |last| last.max(rank));
        self.young.ranks.insert(key, rank);
        self.young.greatest = self.young.greatest.max(Some(rank));
        if self.young.ranks.len() > self.remembered_max {
            self.forgotten = self.forgotten.max(self.old.greatest);
            self.old = std::mem::take(&mut self.young);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_after_a_later_one_of_its_key_breaks_the_order() {
        use Order::{Broken, Kept};
        let mut keys = Keys::new(10);
        let orders = [(1, 5), (2, 3), (1, 4), (1, 6), (2, 3), (1, 5)]
            .map(|(key, rank)| keys.note(key, rank));
        assert_eq!(orders, [Kept, Kept, Broken, Kept, Kept, Broken]);
    }

    #[test]
    fn a_clean_partition_is_checked_whole_however_many_keys_it_has() {
        let mut keys = Keys::new(8);
        for rank in 0..10_000 {
            assert_eq!(keys.note(rank * 31 % 997, rank), Order::Kept, "{rank}");
        }
    }

    #[test]
    fn what_memory_does_not_reach_is_unchecked_and_not_called_good() {
        let mut keys = Keys::new(2);
        assert_eq!(keys.note(1, 100), Order::Kept);
        for rank in 101..110 {
            assert_eq!(keys.note(rank, rank), Order::Kept);
        }
        // Key 1 is forgotten: whether 50 was late for it cannot be told.
        assert_eq!(keys.note(1, 50), Order::Unchecked);
        assert_eq!(keys.note(500, 111), Order::Kept);
    }
}
