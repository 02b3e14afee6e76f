//! The tables of words that come with the program: names, places, ranges of numbers.

use std::sync::{Arc, LazyLock};

use super::library;
use super::model::{Column, Table, WordKind};

/// Every table, by its name.
static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let read = |(path, text): (&str, &str)| {
        let name = path.strip_prefix(library::WORDS)?.strip_suffix(".csv")?;
        Some(read(name, text))
    };
    library::files().filter_map(read).collect()
});

fn read(name: &str, text: &str) -> Table {
    let mut csv = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut rows = csv.records().map_while(Result::ok);
    let header = rows.next().unwrap_or_default();
    let rows: Vec<csv::StringRecord> = rows.collect();
    let column = |(place, name): (usize, &str)| Column {
        name: name.to_owned(),
        cells: rows.iter().map(|row| row[place].to_owned()).collect::<Arc<[_]>>(),
    };
    let columns = header.iter().enumerate().map(column).collect();
    Table { name: name.to_owned(), span: 0..0, columns, weight: None }
}

/// The table of that name.
///
/// # Panics
///
/// If the program has none: our own bug.
pub fn table(name: &str) -> &'static Table {
    let found = TABLES.iter().find(|table| table.name == name);
    assert!(found.is_some(), "the program comes with a table of words `{name}`");
    found.unwrap_or(&TABLES[0])
}

/// A column of a table of words.
///
/// # Panics
///
/// If the program has none: our own bug.
pub fn column(table_name: &str, name: &str) -> &'static Arc<[String]> {
    let columns = &table(table_name).columns;
    let found = columns.iter().find(|column| column.name == name);
    assert!(found.is_some(), "the table of words `{table_name}` has a column `{name}`");
    &found.unwrap_or(&columns[0]).cells
}

/// The table that a kind is drawn from, and the column of the codes that choose among its rows.
pub fn source(kind: WordKind) -> (&'static str, &'static str) {
    match kind {
        WordKind::PersonName => ("first_names", "locale"),
        WordKind::Company => ("company_forms", "locale"),
        WordKind::Street => ("streets", "locale"),
        WordKind::Phone => ("phones", "country"),
        WordKind::Iban => ("ibans", "country"),
        WordKind::Pan => ("pans", "scheme"),
        WordKind::UserAgent => ("user_agents", "device"),
        WordKind::Country => ("countries", "code"),
        WordKind::Currency => ("currencies", "code"),
        WordKind::City => ("cities", "country"),
    }
}

/// The code by which a kind is drawn where a user says `code`: itself, or, for a country, its
/// language or currency.
pub fn code_of(kind: WordKind, code: &str) -> Option<&'static str> {
    let (table, key) = source(kind);
    if let Some(own) = column(table, key).iter().find(|own| *own == code) {
        return Some(own);
    }
    let by_country = match kind {
        WordKind::PersonName | WordKind::Company | WordKind::Street => "locale",
        WordKind::Currency => "currency",
        _ => return None,
    };
    let place = column("countries", "code").iter().position(|country| country == code)?;
    Some(&column("countries", by_country)[place])
}

/// The codes that a kind knows of its own.
pub fn codes(kind: WordKind) -> Vec<&'static str> {
    let (table, key) = source(kind);
    let mut codes: Vec<&str> = column(table, key).iter().map(String::as_str).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_words_is_read_to_its_end() {
        let files: Vec<_> =
            library::files().filter(|(path, _)| path.starts_with(library::WORDS)).collect();
        assert_eq!(files.len(), TABLES.len());
        for ((path, text), table) in files.iter().zip(TABLES.iter()) {
            let rows = table.columns[0].cells.len();
            assert_eq!(rows + 1, text.lines().count(), "{path}");
            let weights = column(&table.name, "weight");
            assert!(weights.iter().all(|weight| weight.parse::<u32>().is_ok()), "{path}");
        }
    }

    #[test]
    fn codes_of_tables_belong_together() {
        let locales = codes(WordKind::PersonName);
        assert_eq!(locales, codes(WordKind::Company));
        assert_eq!(locales, codes(WordKind::Street));
        let known = |table, key| column(table, key).to_vec();
        assert!(known("last_names", "locale").iter().all(|it| locales.contains(&it.as_str())));
        assert!(known("countries", "locale").iter().all(|it| locales.contains(&it.as_str())));
        let countries = known("countries", "code");
        for (table, key) in [("phones", "country"), ("ibans", "country"), ("cities", "country")] {
            assert!(known(table, key).iter().all(|it| countries.contains(it)), "{table}");
        }
        let currencies = known("currencies", "code");
        assert!(known("countries", "currency").iter().all(|it| currencies.contains(it)));
        assert_eq!(code_of(WordKind::PersonName, "AT"), Some("de"));
        assert_eq!(code_of(WordKind::Currency, "JP"), Some("JPY"));
        assert_eq!(code_of(WordKind::Iban, "US"), None);
    }
}
