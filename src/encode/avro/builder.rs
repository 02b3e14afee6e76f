//! Puts write instructions together, merging what is known ahead.

use super::digits::Style;
use super::operation::{Before, Layout, Limit, Need, Operation, Program, Table};
use crate::encode::Integer;
use crate::generate::column::{Register, Wide};

/// An instruction whose table may still grow.
enum Draft {
    Ready(Operation),
    Lookup { present: Option<Register>, index: Register, entries: Vec<Vec<u8>> },
}

/// Collects the instructions of a program.
///
/// Constants wait until something else follows, so that neighbours become one; a short one goes
/// into the entries of the table next to it, and two tables read by one column become one.
#[derive(Default)]
pub(super) struct Builder {
    drafts: Vec<Draft>,
    waiting: Vec<u8>,
    // Instructions before this one are reached on another way: nothing may be merged into them.
    barrier: usize,
    pool: Vec<u8>,
    layout: Layout,
    // The lists that are open, from the outermost: each is the last list of the layout above.
    depth: usize,
    limits: Vec<Limit>,
}

/// Bytes up to which a constant is merged into each entry of a table.
const MERGED_BYTES_MAX: usize = 12;
/// Entries above which tables do not grow.
const MERGED_ENTRIES_MAX: usize = 4_096;

impl Builder {
    /// Writes the same for every row.
    pub(super) fn constant(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Writes as an instruction says, whose registers are places already.
    pub(super) fn operation(&mut self, operation: Operation) {
        self.flush();
        self.drafts.push(Draft::Ready(operation));
    }

    /// Writes a number as digits. Registers are places.
    pub(super) fn number(&mut self, value: Integer, style: Style) {
        self.absorb();
        let mut before = Before::default();
        // One byte is left for the length of a text; see `close`.
        if self.waiting.len() < before.bytes.len() {
            before.bytes[..self.waiting.len()].copy_from_slice(&self.waiting);
            before.used = self.waiting.len().to_le_bytes()[0];
            self.waiting.clear();
        }
        self.operation(Operation::Number { value, style, before });
    }

    /// Ends a text that was opened; one that is a number becomes one instruction.
    pub(super) fn close(&mut self) {
        self.flush();
        let opened = self.drafts.len().checked_sub(2).filter(|&at| at >= self.barrier);
        if let Some(at) = opened
            && let [Draft::Ready(Operation::Open), Draft::Ready(Operation::Number { before, .. })] =
                &mut self.drafts[at..]
        {
            before.is_prefixed = true;
            before.bytes.rotate_right(1);
            before.used += 1;
            self.drafts.remove(at);
            return;
        }
        self.operation(Operation::Close);
    }

    /// Writes one of `entries`, or the last of them where `present` is 0. Registers are places.
    pub(super) fn lookup(
        &mut self,
        present: Option<Register>,
        index: Register,
        mut entries: Vec<Vec<u8>>,
    ) {
        let longest = |entries: &[Vec<u8>]| entries.iter().map(Vec::len).max().unwrap_or(0);
        let prefix_fits = self.waiting.len() <= MERGED_BYTES_MAX
            && longest(&entries) + self.waiting.len() < 32
            && entries.len() <= MERGED_ENTRIES_MAX;
        if prefix_fits {
            let waiting = std::mem::take(&mut self.waiting);
            for entry in &mut entries {
                entry.splice(0..0, waiting.iter().copied());
            }
        }
        self.flush();
        if present.is_none()
            && self.drafts.len() > self.barrier
            && let Some(Draft::Lookup { present: None, index: other, entries: before }) =
                self.drafts.last_mut()
            && *other == index
            && before.len() == entries.len()
            && longest(before) + longest(&entries) < 32
        {
            for (before, entry) in before.iter_mut().zip(entries) {
                before.extend(entry);
            }
            return;
        }
        self.drafts.push(Draft::Lookup { present, index, entries });
    }

    /// Where the next instruction will be; nothing is merged across this point.
    pub(super) fn label(&mut self) -> u32 {
        self.flush();
        self.barrier = self.drafts.len();
        number(self.drafts.len())
    }

    /// Leaves an instruction to be filled in later, and says which.
    pub(super) fn hole(&mut self) -> usize {
        self.flush();
        self.drafts.push(Draft::Ready(Operation::Mark(0)));
        self.barrier = self.drafts.len();
        self.drafts.len() - 1
    }

    /// Fills in an instruction that was left.
    pub(super) fn fill(&mut self, hole: usize, operation: Operation) {
        self.drafts[hole] = Draft::Ready(operation);
    }

    /// Begins to read the items of a child frame; gives the number of the list.
    pub(super) fn enter(&mut self, child: usize) -> u32 {
        let lists = &mut self.current().lists;
        lists.push((child, Layout::default()));
        let list = number(lists.len() - 1);
        self.depth += 1;
        list
    }

    /// Goes back to the frame above.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    fn current(&mut self) -> &mut Layout {
        let mut layout = &mut self.layout;
        for _ in 0..self.depth {
            let last = layout.lists.len() - 1;
            layout = &mut layout.lists[last].1;
        }
        layout
    }

    /// The place of a column of the current frame.
    pub(super) fn place(&mut self, register: Register) -> Register {
        self.current().place(register)
    }

    /// A number in places.
    pub(super) fn integer(&mut self, integer: Integer) -> Integer {
        let mut wide =
            |value: Wide| Wide { high: self.place(value.high), low: self.place(value.low) };
        match integer {
            Integer::Constant(value) => Integer::Constant(value),
            Integer::Wide(value) => Integer::Wide(wide(value)),
            Integer::Offset { base, value } => Integer::Offset { base, value: wide(value) },
            Integer::Unsigned(register) => Integer::Unsigned(self.place(register)),
            Integer::Signed(register) => Integer::Signed(self.place(register)),
        }
    }

    /// A limit for [`Operation::Check`].
    pub(super) fn limit(&mut self, limit: Limit) -> u32 {
        let known = self.limits.iter().position(|other| *other == limit);
        number(known.unwrap_or_else(|| {
            self.limits.push(limit);
            self.limits.len() - 1
        }))
    }

    /// Puts what waits into the table before it, if it fits there.
    fn absorb(&mut self) {
        if self.drafts.len() > self.barrier
            && let Some(Draft::Lookup { entries, .. }) = self.drafts.last_mut()
        {
            let longest = entries.iter().map(Vec::len).max().unwrap_or(0);
            if longest < 32
                && longest + self.waiting.len() <= Table::room(longest)
                && entries.len() <= MERGED_ENTRIES_MAX
            {
                for entry in entries {
                    entry.extend_from_slice(&self.waiting);
                }
                self.waiting.clear();
            }
        }
    }

    fn flush(&mut self) {
        self.absorb();
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let start = number(self.pool.len());
        self.pool.extend_from_slice(&waiting);
        let bytes = number(waiting.len());
        self.drafts.push(Draft::Ready(Operation::Constant { start, bytes }));
    }

    /// The program.
    pub(super) fn finish(mut self) -> Program {
        self.flush();
        // Constants are copied in blocks of 16 and 32 bytes.
        self.pool.extend([0; 32]);
        let ready = |draft| match draft {
            Draft::Ready(operation) => operation,
            Draft::Lookup { present, index, entries } => {
                let table = Table::new(&entries);
                match present {
                    Some(present) => Operation::OptionalLookup { present, index, table },
                    None => Operation::Lookup { index, table },
                }
            }
        };
        Program {
            operations: self.drafts.into_iter().map(ready).collect(),
            pool: self.pool,
            layout: self.layout,
            limits: self.limits,
            need: Need::default(),
        }
        .measured()
    }
}

fn number(count: usize) -> u32 {
    let number = u32::try_from(count);
    assert!(number.is_ok(), "a schema's program has {count} parts, more than 2^32");
    number.unwrap_or(u32::MAX)
}
