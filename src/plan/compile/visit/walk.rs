//! The registers of operations on walks.

use super::{visit_operand, visit_target, visit_wide};
use crate::plan::program::{Operation, Register};

/// Shows each register of an operation on walks, and whether it is written.
pub(super) fn visit(operation: &mut Operation, see: &mut dyn FnMut(&mut Register, bool)) {
    match operation {
        Operation::Walk { member, generation, time_us, out, .. } => {
            see(member, false);
            if let Some(generation) = generation {
                see(generation, false);
            }
            visit_operand(time_us, see);
            visit_wide(out, true, see);
        }
        Operation::Trend { position, time_us, volatility, drift, out, .. } => {
            visit_wide(position, false, see);
            for operand in [time_us, volatility, drift] {
                visit_operand(operand, see);
            }
            visit_wide(out, true, see);
        }
        Operation::Extreme { ends, times_us, volatility, surprise, out, .. } => {
            for (end, time_us) in ends.iter_mut().zip(times_us) {
                visit_wide(end, false, see);
                visit_operand(time_us, see);
            }
            visit_operand(volatility, see);
            see(surprise, false);
            visit_wide(out, true, see);
        }
        Operation::Exponential { start, trend, out, .. } => {
            visit_operand(start, see);
            visit_wide(trend, false, see);
            visit_target(out, see);
        }
        _ => unreachable!("the other operations are visited before"),
    }
}
