//! Which stream follows which, up to its root.

use super::follow_up::LEVELS_MAX;
use crate::config::model::Model;
use crate::config::{Mistake, suggest};

/// By stream: itself, the one that it follows, and so on up to its root; empty if that has mistakes,
/// which are noted: streams that are not there, circles, and chains that are too long.
pub(super) fn chains(model: &Model, mistakes: &mut Vec<Mistake>) -> Vec<Vec<usize>> {
    let mut of = |number| chain(model, number).map_err(|mistake| mistakes.push(mistake));
    (0..model.streams.len()).map(|number| of(number).unwrap_or_default()).collect()
}

fn chain(model: &Model, number: usize) -> Result<Vec<usize>, Mistake> {
    let mut chain = vec![number];
    let mut at = number;
    while let Some(follows) = &model.streams[at].follows {
        let (name, span) = (&follows.stream.value, follows.stream.span.clone());
        let refuse = |what: String, help: Option<String>| Mistake { span, what, help };
        let Some(above) = model.streams.iter().position(|stream| stream.name == *name) else {
            let known = model.streams.iter().map(|stream| stream.name.as_str());
            let help = suggest::way_out(name, known);
            return Err(refuse(format!("there is no stream `{name}` to follow"), help));
        };
        if chain.contains(&above) {
            let own = &model.streams[number].name;
            let what = format!("`{own}` follows itself, directly or through other streams");
            return Err(refuse(what, Some("give one of them a rate instead".to_owned())));
        }
        let is_followable =
            model.streams[above].has_rate() || model.streams[above].follows.is_some();
        if !is_followable {
            let what = format!("`{name}` tells of members or phases, and cannot be followed");
            return Err(refuse(what, Some("follow a stream with a rate".to_owned())));
        }
        if chain.len() == LEVELS_MAX {
            let what =
                format!("this makes a chain of more than {LEVELS_MAX} streams, which is the limit");
            return Err(refuse(what, Some("follow a stream nearer to the root".to_owned())));
        }
        chain.push(above);
        at = above;
    }
    Ok(chain)
}
