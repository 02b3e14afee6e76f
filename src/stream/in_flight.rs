//! What is in flight: arenas that receipts still hold, bounded in bytes.
//!
//! Two parts that a sink puts together. [`InFlight`] admits batches while there is room and gives
//! each a [`Held`], which frees its share of the room when the last of its clones is dropped.
//! [`Slab`] keeps what was handed over until its last receipt, and gives it a number small
//! enough to travel through a client library beside each record.
//!
//! Neither is touched once a record: a batch is admitted once, and a slab is locked by its owner
//! once a slice and once a batch of receipts. So a mutex costs nothing that can be measured, and
//! lock-free counts would only make the code harder to follow.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Batch, Record};

/// What a client library keeps for a record beside its bytes, in bytes; counted with the arena.
const RECORD_OVERHEAD_BYTES: u64 = 320;

/// How long a wait lasts before `give_up` is asked again.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// A bound on the bytes of batches in flight.
#[derive(Clone, Debug)]
pub struct InFlight(Arc<Room>);

#[derive(Debug)]
struct Room {
    bytes_max: u64,
    bytes: Mutex<u64>,
    freed: Condvar,
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch that was admitted; its bytes count as in flight until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Held(Arc<Admitted>);

#[derive(Debug)]
struct Admitted {
    batch: Arc<Batch>,
    bytes: u64,
    room: Arc<Room>,
}

impl Held {
    /// The batch.
    pub fn batch(&self) -> &Arc<Batch> {
        &self.0.batch
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        *self.room.lock() -= self.bytes;
        self.room.freed.notify_all();
    }
}

impl InFlight {
    /// Room for `bytes_max` bytes of arenas and of what goes with each record.
    pub fn new(bytes_max: u64) -> Self {
        Self(Arc::new(Room { bytes_max, bytes: Mutex::new(0), freed: Condvar::new() }))
    }

    /// Admits a batch, and waits for room first. `None` if `give_up` said true meanwhile.
    ///
    /// A batch larger than the whole room is admitted alone, so that it does not wait for ever.
    pub fn admit(&self, batch: &Arc<Batch>, give_up: &dyn Fn() -> bool) -> Option<Held> {
        let bytes = cost_bytes(batch);
        let mut held_bytes = self.0.lock();
        while *held_bytes > 0 && *held_bytes + bytes > self.0.bytes_max {
            if give_up() {
                return None;
            }
            let waited = self.0.freed.wait_timeout(held_bytes, ASK_EVERY);
            held_bytes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *held_bytes += bytes;
        Some(Held(Arc::new(Admitted {
            batch: Arc::clone(batch),
            bytes,
            room: Arc::clone(&self.0),
        })))
    }

    /// Bytes held now.
    pub fn bytes(&self) -> u64 {
        *self.0.lock()
    }
}

fn cost_bytes(batch: &Batch) -> u64 {
    let a_record = size_of::<Record>() as u64 + RECORD_OVERHEAD_BYTES;
    batch.arena.capacity() as u64 + batch.records.len() as u64 * a_record
}

/// Values that wait for a known number of receipts, each in a numbered slot.
///
/// Slots are used again, so the slab is as large as the most that ever waited at once.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Option<Waiting<T>>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Waiting<T> {
    left_count: usize,
    value: T,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Keeps `value` until it is settled `count` times; returns the number of its slot.
    ///
    /// # Panics
    ///
    /// If `count` is 0, since the value would never leave.
    pub fn insert(&mut self, count: usize, value: T) -> u32 {
        assert!(count > 0, "a value that waits for no receipt would never leave the slab");
        let waiting = Some(Waiting { left_count: count, value });
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = waiting;
            return slot;
        }
        self.slots.push(waiting);
        let slot = u32::try_from(self.slots.len() - 1);
        assert!(slot.is_ok(), "more slices in flight than the bound on bytes can allow");
        slot.unwrap_or(u32::MAX)
    }

    /// The value in a slot, while it waits.
    pub fn get(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)?.as_ref().map(|waiting| &waiting.value)
    }

    /// Counts `count` receipts for a slot; gives the value back with its last.
    ///
    /// # Panics
    ///
    /// If there are more receipts than the value waits for.
    pub fn settle(&mut self, slot: u32, count: usize) -> Option<T> {
        let entry = self.slots.get_mut(slot as usize)?;
        let waiting = entry.as_mut()?;
        assert!(count <= waiting.left_count, "a record got more than one receipt");
        waiting.left_count -= count;
        if waiting.left_count > 0 {
            return None;
        }
        self.free.push(slot);
        entry.take().map(|waiting| waiting.value)
    }

    /// How many values wait.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn batch(bytes: usize) -> Arc<Batch> {
        let arena = Arc::new(vec![0; bytes]);
        Arc::new(Batch { window_us: 0..1, arena, ..Batch::default() })
    }

    #[test]
    fn bytes_are_freed_with_the_last_clone() {
        let in_flight = InFlight::new(100);
        let held = in_flight.admit(&batch(60), &|| false).unwrap();
        let again = held.clone();
        drop(held);
        assert_eq!(in_flight.bytes(), 60);
        drop(again);
        assert_eq!(in_flight.bytes(), 0);
    }

    #[test]
    fn a_batch_without_room_waits_until_another_leaves() {
        let in_flight = InFlight::new(100);
        let first = in_flight.admit(&batch(60), &|| false).unwrap();
        assert!(in_flight.admit(&batch(60), &|| true).is_none(), "there is no room");

        let admitted = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let held = in_flight.admit(&batch(60), &|| false);
                admitted.store(true, Ordering::SeqCst);
                held
            });
            std::thread::yield_now();
            assert!(!admitted.load(Ordering::SeqCst));
            drop(first);
            assert!(waiting.join().unwrap().is_some());
        });
        assert_eq!(in_flight.bytes(), 0);
    }

    #[test]
    fn a_batch_larger_than_the_room_goes_alone() {
        let in_flight = InFlight::new(100);
        let held = in_flight.admit(&batch(500), &|| false);
        assert!(held.is_some());
        assert!(in_flight.admit(&batch(1), &|| true).is_none());
    }

    #[test]
    fn a_slot_is_given_back_with_its_last_receipt_and_used_again() {
        let mut slab = Slab::default();
        let first = slab.insert(3, "first");
        let second = slab.insert(1, "second");
        assert_eq!(slab.settle(first, 2), None);
        assert_eq!(slab.get(first), Some(&"first"));
        assert_eq!(slab.settle(first, 1), Some("first"));
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.insert(1, "third"), first);
        assert_eq!((slab.len(), slab.settle(second, 1)), (2, Some("second")));
    }
}
