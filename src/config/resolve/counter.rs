//! `{ counter = { start = 1, step = 1 } }`: numbers that go on from event to event.

use super::super::model::{Counter, Generator};
use super::super::reader::{At, Reader};

/// `{ counter = { start = 1, step = 1, restart = 100, initial = 1 } }`.
pub(super) fn counter(reader: &mut Reader<'_>, main: &At<'_>) -> Option<Generator> {
    let mut section = reader.section(main)?;
    let all = i128::from(i64::MIN)..=i128::from(i64::MAX);
    let mut read = |key| section.get(key).map(|at| (reader.whole(&at, &all), at));
    let (start, step) = (read("start"), read("step"));
    let (restart, initial) = (read("restart"), read("initial"));
    reader.finish(section);
    let whole = |value: Option<i128>| value.and_then(|value| i64::try_from(value).ok());
    let start = start.map_or(Some(1), |(value, _)| whole(value))?;
    let step_value = step.as_ref().map_or(Some(1), |(value, _)| whole(*value))?;
    let initial_value = initial.as_ref().map_or(Some(start), |(value, _)| whole(*value))?;
    if step_value == 0 {
        let span = step.map_or(main.node.span.clone(), |(_, at)| at.node.span.clone());
        let what = "a counter with a step of 0 stays where it is";
        reader.refuse(&span, what, "write { constant = … }");
        return None;
    }
    let restart_value = match &restart {
        Some((value, at)) => {
            let restart = whole(*value)?;
            if restart == start || (restart > start) != (step_value > 0) {
                let what = format!("steps of {step_value} from {start} never come to {restart}");
                reader.refuse(&at.node.span, what, "turn the step round, or restart elsewhere");
                return None;
            }
            Some(restart)
        }
        None => None,
    };
    let within = restart_value.is_none_or(|restart| {
        if step_value > 0 {
            (start..restart).contains(&initial_value)
        } else {
            restart < initial_value && initial_value <= start
        }
    });
    if !within {
        let span = initial.map_or(main.node.span.clone(), |(_, at)| at.node.span.clone());
        let what = format!("the counter never is {initial_value}, which it should begin with");
        reader.refuse(&span, what, "begin between `start` and `restart`");
        return None;
    }
    let (step, restart, initial) = (step_value, restart_value, initial_value);
    Some(Generator::Counter(Counter { start, step, restart, initial }))
}
