//! Popularity: how often the members of an entity are picked.

use super::super::model::Popularity;
use super::super::reader::{At, Reader};

/// `"uniform"`, `{ zipf = 1.0 }` or `{ histogram = [[0.01, 0.5], [0.99, 0.5]] }`.
pub(super) fn popularity(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Popularity> {
    if at.is_text() {
        return reader.one_of(at, &[("uniform", ())]).map(|()| Popularity::Uniform);
    }
    let mut section = reader.section_beside_text(at)?;
    let popularity = if let Some(at) = section.get("histogram") {
        histogram(reader, &at)
    } else {
        let help =
            "write { zipf = 1.0 }, { histogram = [[0.01, 0.5], [0.99, 0.5]] } or \"uniform\"";
        let exponent = reader.require(&mut section, "zipf", help);
        let exponent = exponent.and_then(|at| reader.number(&at, &(0.0..=4.0)));
        exponent.map(|exponent| Popularity::Zipf { exponent })
    };
    reader.finish(section);
    popularity
}

/// Pairs of a share of the members and the share of the picks that they get.
fn histogram(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Popularity> {
    let items = reader.list(at)?;
    let mut shares = Vec::with_capacity(items.len());
    for item in &items {
        let pair = reader.list(item)?;
        let [members, picks] = &pair[..] else {
            let what = format!("`{}` has {} numbers, but must have 2", item.path, pair.len());
            let help = "a share of the members and what share of the picks they get: [0.01, 0.5]";
            reader.refuse(&item.node.span, what, help);
            return None;
        };
        let (members, picks) = (reader.positive(members), reader.positive(picks));
        shares.push((members?, picks?));
    }
    let members: f64 = shares.iter().map(|(members, _)| members).sum();
    let picks: f64 = shares.iter().map(|(_, picks)| picks).sum();
    if shares.is_empty() || !members.is_finite() || !picks.is_finite() {
        let help = "list shares: [[0.01, 0.5], [0.99, 0.5]]";
        reader.refuse(&at.node.span, format!("`{}` has no shares", at.path), help);
        return None;
    }
    for (own, drawn) in &mut shares {
        (*own, *drawn) = (*own / members, *drawn / picks);
    }
    // Ranks count from the most popular one.
    shares.sort_by(|a, b| (b.1 / b.0).total_cmp(&(a.1 / a.0)));
    Some(Popularity::Histogram { shares: shares.into() })
}
