//! Names of people, companies and things, and how to reach them.

use std::sync::Arc;

use super::{Rows, Wanted, literal, number_piece, text, with_parts};
use crate::config::Spanned;
use crate::config::model::WordKind;
use crate::config::words;
use crate::plan::compile::value::{Cell, Value};
use crate::plan::compile::{Compiler, Site};
use crate::plan::fill::{Piece, Text};

/// Languages whose addresses have the number of the house before the street.
const NUMBER_FIRST: [&str; 3] = ["en", "fr", "in"];
/// The greatest number of a house.
const HOUSES: u64 = 199;
/// What stands between the names of an address, and how often.
const BETWEEN: [(&str, f64); 4] = [(".", 5.0), ("_", 1.5), ("", 2.5), ("-", 1.0)];
/// Domains that nobody has (RFC 2606), and how often they come.
const DOMAINS: [(&str, f64); 3] = [("com", 6.0), ("net", 2.0), ("org", 2.0)];

impl Compiler<'_> {
    pub(super) fn person_name(
        &mut self,
        wanted: Wanted<'_>,
        first: &Rows,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let last = self.rows(wanted, "last_names", "locale", (site, word + 1))?;
        let (own, family) = (first.cells("name"), last.cells("name"));
        let pieces = vec![
            first.piece(|row| own[row].clone()),
            literal(" "),
            last.piece(|row| family[row].clone()),
        ];
        let parts = vec![
            ("first", first.column("name")),
            ("last", last.column("name")),
            ("gender", first.column("gender")),
        ];
        Some(first.cell(text(pieces), parts))
    }

    pub(super) fn company(
        &mut self,
        wanted: Wanted<'_>,
        forms: &Rows,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let names = self.rows(wanted, "last_names", "locale", (site, word + 1))?;
        let (name, form) = (names.cells("name"), forms.cells("form"));
        let pieces = vec![
            names.piece(|row| name[row].clone()),
            literal(" "),
            forms.piece(|row| form[row].clone()),
        ];
        let parts = vec![("name", names.column("name")), ("form", forms.column("form"))];
        Some(forms.cell(text(pieces), parts))
    }

    pub(super) fn street(&mut self, rows: &Rows, (site, word): (Site, u32)) -> Cell {
        let mut house = self.below(HOUSES, site, word + 1);
        house = self.one_more(house);
        let (names, locales) = (rows.cells("name"), rows.cells("locale"));
        let first = |row: usize| NUMBER_FIRST.contains(&locales[row].as_str());
        let around = |row: usize, before: bool| match (first(row), before) {
            (true, false) => format!(" {}", names[row]),
            (false, true) => format!("{} ", names[row]),
            _ => String::new(),
        };
        let number = number_piece(house.integer(), 1);
        let pieces =
            vec![rows.piece(|row| around(row, true)), number, rows.piece(|row| around(row, false))];
        let parts = vec![("name", rows.column("name")), ("number", Value::Number(house))];
        rows.cell(text(pieces), parts)
    }

    /// The address of a name that a path leads to, or of somebody.
    pub(super) fn email(
        &mut self,
        of: Option<&Spanned<String>>,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let cell = if let Some(path) = of {
            self.path(path, site)?
        } else {
            let of = ["en".to_owned()];
            let wanted = Wanted { kind: WordKind::PersonName, of: &of, by: None };
            let rows = self.rows(wanted, "first_names", "locale", (site, word + 2))?;
            self.person_name(wanted, &rows, (site, word + 2))?
        };
        let names: Vec<Option<Piece>> = match &cell.value {
            Value::Parts(parts) => {
                let part = |name: &str| parts.parts.iter().find(|(part, _)| *part == name);
                let named: Vec<_> =
                    ["first", "last", "name"].into_iter().filter_map(part).collect();
                named.into_iter().map(|(_, value)| mailbox(value)).collect()
            }
            value => vec![mailbox(value)],
        };
        let names = names.into_iter().collect::<Option<Vec<Piece>>>();
        let Some(names) = names.filter(|names| !names.is_empty()) else {
            let what = format!("an address needs a name, but this is {}", cell.value.kind());
            let help = "name a `person_name`, a `company`, a choice or a column";
            return self.refuse(&of.map_or(0..0, |path| path.span.clone()), what, help);
        };
        let mut pieces = Vec::new();
        for name in names {
            if !pieces.is_empty() {
                let index = self.one_of(&BETWEEN.map(|(_, weight)| weight), site, word);
                let values = BETWEEN.iter().map(|(text, _)| (*text).to_owned()).collect();
                pieces.push(Piece::Lookup { index, values, width: None });
            }
            pieces.push(name);
        }
        let (values, weights): (Vec<String>, Vec<f64>) = tails().into_iter().unzip();
        let index = self.one_of(&weights, site, word + 1);
        pieces.push(Piece::Lookup { index, values: values.into(), width: None });
        Some(Cell { value: Value::Text(Text(pieces)), present: cell.present })
    }

    pub(super) fn product(&mut self, site: Site, word: u32) -> Value {
        let kinds = ["adjective", "material", "noun"];
        let mut pieces = Vec::new();
        let mut parts = Vec::new();
        for (kind, word) in kinds.into_iter().zip(word..) {
            let all =
                words::column("products", "kind").iter().zip(&**words::column("products", "word"));
            let cells: Arc<[String]> =
                all.filter(|(own, _)| *own == kind).map(|(_, word)| word.clone()).collect();
            let index = self.one_of(&vec![1.0; cells.len()], site, word);
            if !pieces.is_empty() {
                pieces.push(literal(" "));
            }
            pieces.push(Piece::Lookup { index, values: Arc::clone(&cells), width: None });
            parts.push((kind, Value::Dictionary { index, cells }));
        }
        with_parts(text(pieces), parts)
    }

    pub(super) fn lorem(&mut self, count: u32, site: Site, word: u32) -> Value {
        let values = words::column("lorem", "word");
        let weights = vec![1.0; values.len()];
        let mut pieces = Vec::new();
        for word in word..word + count {
            if !pieces.is_empty() {
                pieces.push(literal(" "));
            }
            let index = self.one_of(&weights, site, word);
            pieces.push(Piece::Lookup { index, values: Arc::clone(values), width: None });
        }
        text(pieces)
    }
}

/// What stands behind the names: a number now and then, and the domain.
fn tails() -> Vec<(String, f64)> {
    let none = std::iter::once((String::new(), 40.0));
    let short = (1..100).map(|number: u32| (number.to_string(), 35.0 / 99.0));
    let year = (1950..2010).map(|year: u32| (year.to_string(), 25.0 / 60.0));
    let all = none.chain(short).chain(year);
    all.flat_map(|(number, weight)| {
        DOMAINS.map(|(top, share)| (format!("{number}@example.{top}"), weight * share))
    })
    .collect()
}

/// A name as it stands in an address; None if its texts are not known.
fn mailbox(name: &Value) -> Option<Piece> {
    match name {
        Value::Dictionary { index, cells } => {
            let values = cells.iter().map(|cell| plain(cell)).collect();
            Some(Piece::Lookup { index: *index, values, width: None })
        }
        Value::Literal(text) => Some(Piece::Literal(plain(text))),
        _ => None,
    }
}

/// Small letters of ASCII and digits only; "x" if nothing is left.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => plain.push(letter),
            'ä' | 'æ' => plain.push_str("ae"),
            'ö' | 'œ' => plain.push_str("oe"),
            'ü' => plain.push_str("ue"),
            'ß' => plain.push_str("ss"),
            'å' => plain.push_str("aa"),
            'à' | 'á' | 'â' | 'ã' | 'ą' | 'ă' => plain.push('a'),
            'ç' | 'ć' | 'č' => plain.push('c'),
            'ď' | 'đ' | 'ð' => plain.push('d'),
            'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => plain.push('e'),
            'ğ' => plain.push('g'),
            'ì' | 'í' | 'î' | 'ï' | 'ı' => plain.push('i'),
            'ł' => plain.push('l'),
            'ñ' | 'ń' | 'ň' => plain.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ő' | 'ø' => plain.push('o'),
            'ř' => plain.push('r'),
            'ś' | 'ş' | 'š' | 'ș' => plain.push('s'),
            'ţ' | 'ť' | 'ț' => plain.push('t'),
            'ù' | 'ú' | 'û' | 'ű' | 'ů' => plain.push('u'),
            'ý' | 'ÿ' => plain.push('y'),
            'ź' | 'ż' | 'ž' => plain.push('z'),
            _ => {}
        }
    }
    if plain.is_empty() { "x".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_the_names_has_a_plain_one() {
        for table in ["first_names", "last_names"] {
            for name in words::column(table, "name").iter() {
                let letters = name.chars().filter(|letter| letter.is_alphabetic());
                // A dot above is what is left of the capital İ.
                let letters = letters.flat_map(char::to_lowercase).filter(|it| *it != '\u{307}');
                for letter in letters {
                    assert_ne!(plain(&letter.to_string()), "x-", "{letter}");
                    let known = plain(&letter.to_string()) != "x" || letter == 'x';
                    assert!(known, "{letter} of {name}");
                }
            }
        }
        assert_eq!(plain("Jürgen Weiß-Łoś"), "juergenweisslos");
        assert_eq!(plain("İbrahim"), "ibrahim");
        assert_eq!(plain("山田"), "x");
    }
}
