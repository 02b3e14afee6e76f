//! What flags and variables of both runs put in the place of the model's values.

use super::{Error, First};
use crate::config::Overrides;
use crate::config::overrides::Override;
use crate::manifest::Override as Recorded;

/// How fast a run goes, by either of which it is said.
const SPEED: [&str; 2] = ["speed", "pace"];

/// The overrides of the first run with those of `now`, each among its like: what was typed stands
/// before what variables say, and of two alike the newer one counts.
pub(super) fn together(first: &First, now: &Overrides) -> Result<Overrides, Error> {
    let recorded: Vec<Override> = first.manifest.overrides.iter().map(Recorded::again).collect();
    let known = |one: &Override| {
        let same = |it: &&Override| it.is_variable() && it.path() == one.path();
        recorded.iter().find(same).is_some_and(|it| it.value() == one.value())
    };
    let mut variables: Vec<Override> = Vec::new();
    for one in now.variables.iter().filter(|one| !known(one)) {
        if !one.leaves_events() {
            let (variable, path) = (one.name(), first.path.clone());
            return Err(Error::Variable { variable, path });
        }
        variables.push(one.clone());
    }
    for one in &now.flags {
        if !one.leaves_events() {
            return Err(first.refuse(&one.name()));
        }
    }
    let newer: Vec<Override> = variables.iter().chain(&now.flags).cloned().collect();
    let says_speed = |one: &Override| match one.path() {
        [run, key] => run == "run" && SPEED.contains(&key.as_str()),
        _ => false,
    };
    let speed_is_new = newer.iter().any(says_speed);
    let stays = |one: &Override| {
        // Where a secret of a flag stood, a variable of now may stand.
        let gives_way = one.is_variable() || one.is_masked();
        let replaced = gives_way && variables.iter().any(|it| is_of(it, one));
        !(replaced || speed_is_new && says_speed(one))
    };
    let recorded = recorded.iter().filter(|one| stays(one)).cloned();
    let (kept_variables, kept_flags): (Vec<_>, Vec<_>) = recorded.partition(Override::is_variable);
    Ok(Overrides {
        variables: kept_variables.into_iter().chain(variables).collect(),
        flags: kept_flags.into_iter().chain(now.flags.iter().cloned()).collect(),
    })
}

/// Whether both are of one key; names of variables have no case.
fn is_of(one: &Override, other: &Override) -> bool {
    let same = |(one, other): (&String, &String)| one.eq_ignore_ascii_case(other);
    one.path().len() == other.path().len() && one.path().iter().zip(other.path()).all(same)
}

#[cfg(test)]
mod tests {
    use super::super::tests::first;
    use super::*;

    fn both(recorded: &[(&str, &str, &str)], now: &Overrides) -> Result<Vec<String>, String> {
        let together = together(&first(recorded), now).map_err(|error| error.to_string())?;
        let all = together.variables.iter().chain(&together.flags);
        Ok(all.map(|one| format!("{} {}", one.name(), one.value())).collect())
    }

    fn typed(flags: &[Override]) -> Overrides {
        Overrides { flags: flags.to_vec(), ..Overrides::default() }
    }

    fn variable(name: &str, value: &str) -> Overrides {
        Overrides::default().with_environment([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn what_was_typed_then_stands_before_what_variables_say_now() {
        let then = [("-X", "sink.kafka.acks", "acks=1"), ("--rate", "traffic.rate", "5/s")];
        let now = variable("TIDEGATE_SINK__KAFKA__ACKS", "all");
        let all = both(&then, &now).unwrap();
        assert_eq!(all, ["TIDEGATE_SINK__KAFKA__ACKS all", "-X acks 1", "--rate 5/s"]);
    }

    #[test]
    fn a_secret_of_a_flag_gives_way_to_a_variable() {
        let then = [("-X", "sink.pulsar.authParams", "authParams=\"***\"")];
        let all = both(&then, &variable("TIDEGATE_SINK__PULSAR__AUTHPARAMS", "abc")).unwrap();
        assert_eq!(all, ["TIDEGATE_SINK__PULSAR__AUTHPARAMS abc"]);
        assert_eq!(both(&then, &Overrides::default()).unwrap(), ["-X authParams \"***\""]);
    }

    #[test]
    fn of_speed_and_pace_the_newer_counts() {
        let then = [("--speed", "run.speed", "60"), ("--threads", "run.threads", "2")];
        let pace = Override::flag("--pace", "run.pace", "9/s");
        assert_eq!(both(&then, &typed(&[pace])).unwrap(), ["--threads 2", "--pace 9/s"]);
    }

    #[test]
    fn what_would_change_events_is_refused_unless_it_was_so_then() {
        let set = Override::assignment("--set", "lanes=8").unwrap();
        let told = both(&[], &typed(&[set])).unwrap_err();
        assert!(told.contains("`--set lanes` would change what is sent"), "{told}");
        let now = variable("TIDEGATE_LANES", "8");
        let told = both(&[], &now).unwrap_err();
        assert!(told.contains("the variable TIDEGATE_LANES would change"), "{told}");
        let then = [("environment", "lanes", "TIDEGATE_LANES=8")];
        assert_eq!(both(&then, &now).unwrap(), ["TIDEGATE_LANES 8"]);
    }
}
