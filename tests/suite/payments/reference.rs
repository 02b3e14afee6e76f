//! What the payments model's tables say, read without the library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A place where merchants and accounts are.
#[derive(Clone, Debug)]
pub(super) struct City {
    pub(super) zone: String,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

/// What all cities of a country have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Country {
    pub(super) currency: String,
    /// Minor units for one euro, in hundredths.
    pub(super) rate: i64,
    pub(super) address_check: bool,
    pub(super) national_bin: String,
}

/// A trade.
#[derive(Clone, Debug)]
pub(super) struct Trade {
    pub(super) sign: String,
    pub(super) kind: String,
}

/// The model's tables.
#[derive(Debug)]
pub(super) struct Reference {
    /// By country and name in DE43.
    pub(super) cities: BTreeMap<(String, String), City>,
    pub(super) countries: BTreeMap<String, Country>,
    pub(super) trades: BTreeMap<String, Trade>,
    /// Scheme by BIN, of those that are not national.
    pub(super) schemes: BTreeMap<String, String>,
    pub(super) responses: BTreeSet<String>,
    /// What an issuer multiplies the rate by, in ten-thousandths.
    pub(super) fees: Vec<i64>,
}

type Failure = Box<dyn std::error::Error>;

impl Reference {
    /// Reads `config/payments/*.csv`; countries whose cities disagree are refused.
    pub(super) fn read() -> Result<Self, Failure> {
        let mut cities = BTreeMap::new();
        let mut countries = BTreeMap::new();
        for row in table("cities")? {
            let cell = |name: &str| row[name].clone();
            let country = Country {
                currency: cell("currency"),
                rate: scaled(&row["rate"], 2)?,
                address_check: row["address_check"] == "yes",
                national_bin: cell("national_bin"),
            };
            let known = countries.entry(cell("country")).or_insert_with(|| country.clone());
            if *known != country {
                return Err(format!("{} differs from its country", row["city"]).into());
            }
            let city = City {
                zone: cell("zone"),
                latitude: row["latitude"].parse()?,
                longitude: row["longitude"].parse()?,
            };
            cities.insert((cell("country"), cell("acceptor_city")), city);
        }
        let trades = table("mccs")?.into_iter().map(|row| {
            let trade = Trade { sign: row["sign"].clone(), kind: row["kind"].clone() };
            (row["code"].clone(), trade)
        });
        let schemes = table("bins")?.into_iter().map(|r| (r["bin"].clone(), r["scheme"].clone()));
        let responses = table("responses")?.into_iter().map(|row| row["code"].clone());
        let fees = table("fees")?.iter().map(|r| scaled(&r["factor"], 4)).collect::<Result<_, _>>();
        Ok(Self {
            cities,
            countries,
            trades: trades.collect(),
            schemes: schemes.collect(),
            responses: responses.chain(["00".to_owned(), "14".to_owned()]).collect(),
            fees: fees?,
        })
    }

    /// Where a country's money stands; an unknown country is an error.
    pub(super) fn country(&self, code: &str) -> Result<&Country, String> {
        self.countries.get(code).ok_or_else(|| format!("unknown country {code:?}"))
    }

    /// Minor units for one euro of a currency, in hundredths.
    pub(super) fn rate(&self, currency: &str) -> Result<i64, String> {
        let mut countries = self.countries.values();
        let found = countries.find(|country| country.currency == currency);
        found.map(|country| country.rate).ok_or_else(|| format!("unknown currency {currency:?}"))
    }

    /// The scheme of a BIN.
    pub(super) fn scheme(&self, bin: &str) -> Option<&str> {
        let national = self.countries.values().any(|country| country.national_bin == bin);
        self.schemes.get(bin).map(String::as_str).or(national.then_some("visa"))
    }
}

/// The rows of a table, by the names of their columns.
fn table(name: &str) -> Result<Vec<BTreeMap<String, String>>, Failure> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/payments").join(name);
    let mut reader = csv::Reader::from_path(path.with_extension("csv"))?;
    Ok(reader.deserialize().collect::<Result<_, _>>()?)
}

/// A decimal with at most `digits` digits after the point, as a whole number of its last place.
pub(super) fn scaled(text: &str, digits: usize) -> Result<i64, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > digits {
        return Err(format!("{text:?} has more than {digits} digits after the point"));
    }
    let joined = format!("{whole}{fraction:0<digits$}");
    joined.parse().map_err(|_| format!("{text:?} is not a number"))
}
