//! Kernels on members, times and identities.

use super::Context;
use super::access::{map, with_column, zip};
use crate::generate::column::{CHUNK_ROWS, Frame};
use crate::generate::inlined::inlined;
use crate::plan::follow_up::CHILD_SHIFT;
use crate::plan::identity::{Cipher, Numbers};
use crate::plan::program::{Operation, Register, Wide, input};
use crate::plan::zone::Zones;

/// The origin of events that the model itself makes.
const MODEL_ORIGIN: u8 = 0;

/// Operations on members, times and identities.
#[inline(always)]
pub(super) fn step(operation: &Operation, frame: &mut Frame, context: Context<'_>) {
    match operation {
        Operation::Actor { .. } | Operation::Member { .. } => pick(operation, frame, context),
        Operation::Group { number, population, out } => {
            map(frame, *number, *out, |number| population.group_of(number));
        }
        Operation::Version { number, time, rota, out } => {
            with_column(
                frame,
                *out,
                inlined!(|frame, versions| {
                    let times = frame.column(time.high).iter().zip(frame.column(time.low));
                    let rows = frame.column(*number).iter().zip(times);
                    for (version, (&number, (&high, &low))) in versions.iter_mut().zip(rows) {
                        *version = rota.version(number, u64::from(high) << 32 | u64::from(low));
                    }
                }),
            );
        }
        Operation::Parent { number, kinship, out } => {
            map(frame, *number, *out, |number| kinship.parent(number));
        }
        Operation::Child { word, number, kinship, out } => {
            zip(frame, [*number, *word], *out, |number, word| kinship.child(number, word));
        }
        Operation::Offset { era, zone, zones, out } => {
            offset(frame, [*era, *zone], zones, *out, context);
        }
        Operation::Identity { child, cipher, stream, out } => {
            identity(frame, cipher, (*stream, *child), *out);
        }
        Operation::Permute { permutation, number, out } => {
            map(frame, number.high, out.high, |word| word);
            map(frame, number.low, out.low, |word| word);
            let (mut high, mut low) = (frame.take(out.high), frame.take(out.low));
            let rows = frame.rows();
            permutation.seal_columns(&mut high[..rows], &mut low[..rows]);
            frame.put(out.high, high);
            frame.put(out.low, low);
        }
        _ => unreachable!("the other operations have kernels of their own"),
    }
}

/// Picks members.
#[inline(always)]
fn pick(operation: &Operation, frame: &mut Frame, context: Context<'_>) {
    match operation {
        Operation::Actor { era, words, population, group, out } => {
            with_column(
                frame,
                *group,
                inlined!(|frame, groups| {
                    let (first, lanes) = (frame.column(words[0]), frame.column(input::LANE));
                    let rows = first.iter().zip(lanes).zip(frame.column(*era));
                    for (group, ((&word, &lane), &era)) in groups.iter_mut().zip(rows) {
                        *group = context.segment(era).groups[lane as usize].choose(word);
                    }
                }),
            );
            with_column(
                frame,
                *out,
                inlined!(|frame, numbers| {
                    let (second, lanes) = (frame.column(words[1]), frame.column(input::LANE));
                    let rows = second.iter().zip(lanes).zip(frame.column(*group));
                    for (number, ((&word, &lane), &group)) in numbers.iter_mut().zip(rows) {
                        *number = population.pick(lane, group, word, 0);
                    }
                }),
            );
        }
        Operation::Member { words, population, given, group, out } => {
            match given {
                Some(given) => map(frame, *given, *group, |given| given),
                None => map(frame, words[0], *group, |word| population.choose_group(word)),
            }
            with_column(
                frame,
                *out,
                inlined!(|frame, numbers| {
                    let pairs = frame.column(words[1]).iter().zip(frame.column(words[2]));
                    let rows = pairs.zip(frame.column(*group));
                    for (number, ((&entry, &inside), &group)) in numbers.iter_mut().zip(rows) {
                        *number = population.pick_anywhere([entry, inside], group);
                    }
                }),
            );
        }
        _ => unreachable!("the other operations have kernels of their own"),
    }
}

#[inline(always)]
fn offset(
    frame: &mut Frame,
    [era, zone]: [Register; 2],
    zones: &Zones,
    out: Register,
    context: Context<'_>,
) {
    with_column(
        frame,
        out,
        inlined!(|frame, column| {
            let mut known = None;
            let rows = frame.column(era).iter().zip(frame.column(zone));
            for (out, (&era, &zone)) in column.iter_mut().zip(rows) {
                if !matches!(&known, Some((of, _)) if *of == era) {
                    known = Some((era, zones.offsets_minutes(context.eras[era as usize].slot)));
                }
                *out =
                    known.as_ref().map_or(0, |(_, offsets)| offsets[zone as usize].cast_unsigned());
            }
        }),
    );
}

#[inline(always)]
fn identity(
    frame: &mut Frame,
    cipher: &Cipher,
    (stream, child): (u8, Register),
    out: [Register; 4],
) {
    let mut columns = out.map(|register| frame.take(register));
    let rows = frame.rows();
    let Wide { high, low } = input::NUMBER;
    let mut children = [0; CHUNK_ROWS];
    for (child, &index) in children.iter_mut().zip(frame.column(child)) {
        *child = index >> CHILD_SHIFT;
    }
    let [a, b, c, d] = &mut columns;
    let numbers =
        Numbers { high: frame.column(high), low: frame.column(low), child: &children[..rows] };
    cipher.seal_columns(
        (stream, MODEL_ORIGIN),
        &numbers,
        [&mut a[..rows], &mut b[..rows], &mut c[..rows], &mut d[..rows]],
    );
    for (register, column) in out.into_iter().zip(columns) {
        frame.put(register, column);
    }
}
