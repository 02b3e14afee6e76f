//! Runs the programs of lists: the items of all rows of a frame, chunk by chunk.

use super::{Context, run_with_widest_vectors};
use crate::generate::column::{CHUNK_ROWS, Child, Frame};
use crate::plan::program::{Gathered, List, Operand, Program, Wide};

/// Fills the children of a frame. `events` says where the rows of each event begin; none if each row
/// is an event.
pub(super) fn run(
    program: &Program,
    frame: &mut Frame,
    events: Option<&[u32]>,
    context: Context<'_>,
) {
    let mut children = std::mem::take(frame.children_mut());
    children.resize_with(program.lists.len(), Child::default);
    for (list, child) in program.lists.iter().zip(&mut children) {
        let total = starts(list, frame, events, child);
        items(list, frame, child, total, context);
        if !list.program.lists.is_empty() {
            let Child { frame, events, .. } = child;
            run(&list.program, frame, Some(events), context);
        }
    }
    *frame.children_mut() = children;
}

/// Notes where the items of each row begin, and those of each event; gives the number of all items.
fn starts(list: &List, above: &Frame, events: Option<&[u32]>, child: &mut Child) -> u32 {
    let mut total = 0;
    child.starts.clear();
    child.starts.push(0);
    child.starts.extend((0..above.rows()).map(|row| {
        total += length(list.length, above, row);
        total
    }));
    let starts = &child.starts;
    child.events.clear();
    match events {
        Some(events) => child.events.extend(events.iter().map(|&row| starts[row as usize])),
        None => child.events.extend_from_slice(starts),
    }
    total
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^14")]
fn length(length: Operand, above: &Frame, row: usize) -> u32 {
    match length {
        Operand::Constant(length) => length as u32,
        Operand::Unsigned(register)
        | Operand::Signed(register)
        | Operand::Wide(Wide { low: register, .. }) => above.column(register)[row],
    }
}

/// Makes all items of a list.
fn items(list: &List, above: &Frame, child: &mut Child, total: u32, context: Context<'_>) {
    let columns = usize::from(list.program.columns);
    let Child { starts, frame, events, chunk } = child;
    frame.reserve(columns, &list.results, total as usize);
    frame.set_rows(total as usize);
    if chunk.columns() < columns {
        **chunk = Frame::new(columns, CHUNK_ROWS);
    }
    let (mut row, mut event) = (0, 0);
    let mut from = 0;
    while from < total as usize {
        let count = CHUNK_ROWS.min(total as usize - from);
        let (mut rows, mut places, mut numbers) =
            ([0_u32; CHUNK_ROWS], [0_u32; CHUNK_ROWS], [0_u32; CHUNK_ROWS]);
        for (at, item) in (from..from + count).enumerate() {
            let item = index(item);
            row = owner(starts, row, item);
            event = owner(events, event, item);
            rows[at] = index(row);
            places[at] = item - starts[row];
            numbers[at] = item - events[event];
        }
        chunk.set_rows(count);
        for &Gathered { from, out } in &list.gathered {
            let words = above.column(from);
            for (out, &row) in chunk.column_mut(out).iter_mut().zip(&rows) {
                *out = words[row as usize];
            }
        }
        for (column, words) in [(list.number, &numbers), (list.place, &places)] {
            if let Some(column) = column {
                chunk.column_mut(column).copy_from_slice(&words[..count]);
            }
        }
        run_with_widest_vectors(&list.program, chunk, context);
        for &result in &list.results {
            frame.column_mut(result)[from..from + count].copy_from_slice(chunk.column(result));
        }
        from += count;
    }
}

/// Who owns an item: at `at` or later.
fn owner(starts: &[u32], mut at: usize, item: u32) -> usize {
    while starts[at + 1] <= item {
        at += 1;
    }
    at
}

#[expect(clippy::cast_possible_truncation, reason = "a chunk has at most 2^8 rows of 2^14 items")]
fn index(number: usize) -> u32 {
    number as u32
}
