//! The nearest known name to one that is not known.

/// The candidate that `name` is most likely a slip of; None if none is near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| {
            let length = lower.chars().count().max(candidate.chars().count());
            *distance <= (length / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The way out for an unknown name: the nearest known one, else the list of all.
pub fn way_out<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    if let Some(near) = nearest(name, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<String> = candidates.into_iter().map(|known| format!("`{known}`")).collect();
    (!all.is_empty()).then(|| {
        let shown = all.len().min(24);
        let more = if all.len() > shown { ", …" } else { "" };
        format!("known: {}{more}", all[..shown].join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_the_list() {
        let known = ["rate", "arrivals", "curves"];
        assert_eq!(nearest("rat", known), Some("rate"));
        assert_eq!(way_out("xyzzy", known).unwrap(), "known: `rate`, `arrivals`, `curves`");
        assert_eq!(way_out("curvse", known).unwrap(), "did you mean `curves`?");
        assert_eq!(way_out("x", []), None);
    }
}
