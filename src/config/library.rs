//! The models, curves, tables and schemas that come with the program.

/// Every file that is compiled in, by its path from the root of the sources.
///
/// A model is a file right under `config/`; what it names is found by the same relative paths as
/// on disk.
const FILES: &[(&str, &str)] = &[
    ("config/curves.toml", include_str!("../../config/curves.toml")),
    ("config/payments.toml", include_str!("../../config/payments.toml")),
    ("config/payments/bins.csv", include_str!("../../config/payments/bins.csv")),
    ("config/payments/brands.csv", include_str!("../../config/payments/brands.csv")),
    ("config/payments/cities.csv", include_str!("../../config/payments/cities.csv")),
    ("config/payments/fees.csv", include_str!("../../config/payments/fees.csv")),
    ("config/payments/mccs.csv", include_str!("../../config/payments/mccs.csv")),
    ("config/payments/modes.csv", include_str!("../../config/payments/modes.csv")),
    ("config/payments/responses.csv", include_str!("../../config/payments/responses.csv")),
    ("config/payments/secures.csv", include_str!("../../config/payments/secures.csv")),
    (
        "schemas/payments/Authorisation.avsc",
        include_str!("../../schemas/payments/Authorisation.avsc"),
    ),
];

/// The library of curves, which is no model.
pub(super) const CURVES: &str = "config/curves.toml";

/// The names of the models that come with the program.
pub fn models() -> impl Iterator<Item = &'static str> + Clone {
    FILES.iter().filter(|(path, _)| *path != CURVES).filter_map(|(path, _)| {
        path.strip_prefix("config/")?.strip_suffix(".toml").filter(|name| !name.contains('/'))
    })
}

/// The text of a file that comes with the program; `.` and `..` are followed.
pub fn open(path: &str) -> Option<&'static str> {
    let path = normalised(path);
    FILES.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
}

/// The path without `.` and `..`.
pub(super) fn normalised(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_a_path_that_goes_up_and_down() {
        assert!(open("config/payments/../curves.toml").is_some());
        assert!(open("curves.toml").is_none());
    }
}
