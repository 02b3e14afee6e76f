//! What many rows of `payments.authorisations` have in common.

use std::collections::{BTreeMap, BTreeSet};

use super::reference::Reference;
use super::row::{Entry, Row};

/// What is said of a whole: name, found, least and greatest.
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) found: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Figure {
    fn new(name: impl Into<String>, found: f64, least: f64, greatest: f64) -> Self {
        Self { name: name.into(), found, least, greatest }
    }

    /// Whether it lies where it should; not a number never does.
    pub(super) fn holds(&self) -> bool {
        (self.least..=self.greatest).contains(&self.found)
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, found, least, greatest } = self;
        write!(formatter, "{name}: {found:.5}, expected {least:.5} to {greatest:.5}")
    }
}

/// The share of `of` rows for which something holds.
fn share<'r>(rows: impl Iterator<Item = &'r Row>, holds: impl Fn(&Row) -> bool) -> f64 {
    let (mut count, mut all) = (0.0, 0.0);
    for row in rows {
        all += 1.0;
        count += f64::from(u8::from(holds(row)));
    }
    count / all
}

fn in_person(row: &Row) -> bool {
    row.entry() == Ok(Entry::InPerson)
}

/// The value below which a share of sorted values lies; not a number of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index below the length"
    )]
    let index = (last * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Quartiles, mean and deviation in euro, and each currency's median against the whole's.
///
/// Currencies with fewer rows than a median is known from to some 3 % are taken together.
pub(super) fn amounts(rows: &[Row], reference: &Reference) -> Result<Vec<Figure>, String> {
    let mut all = Vec::new();
    let mut currencies: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in rows {
        let euro = row.euro(reference)?;
        all.push(euro);
        currencies.entry(&row.currency).or_default().push(euro);
    }
    all.sort_by(f64::total_cmp);
    let count = all.len() as f64;
    let mean = all.iter().sum::<f64>() / count;
    let variance = all.iter().map(|euro| (euro - mean).powi(2)).sum::<f64>() / count;
    let median = quantile(&all, 0.5);
    let mut figures = vec![
        Figure::new("first quartile", quantile(&all, 0.25), 5.60 * 0.95, 5.60 * 1.05),
        Figure::new("median", median, 22.0 * 0.95, 22.0 * 1.05),
        Figure::new("third quartile", quantile(&all, 0.75), 77.17 * 0.95, 77.17 * 1.05),
        Figure::new("mean", mean, 88.35 * 0.93, 88.35 * 1.07),
        Figure::new("standard deviation", variance.sqrt(), 200.0, 300.0),
    ];
    let mut medians: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (currency, values) in currencies {
        let name = if values.len() < 5_000 { "all others" } else { currency };
        medians.entry(name).or_default().extend(values);
    }
    for (name, mut values) in medians {
        values.sort_by(f64::total_cmp);
        let ratio = quantile(&values, 0.5) / median;
        figures.push(Figure::new(format!("median of {name} against all"), ratio, 0.9, 1.1));
    }
    Ok(figures)
}

/// How often issuers decline, and why.
pub(super) fn declines(rows: &[Row], reference: &Reference) -> Vec<Figure> {
    let declined = |row: &Row| !matches!(row.response_code.as_str(), "00" | "14");
    let digital =
        |row: &Row| reference.trades.get(&row.mcc).is_some_and(|trade| trade.kind == "digital");
    let online = || rows.iter().filter(|row| !in_person(row));
    let refused = || rows.iter().filter(|row| declined(row));
    let typed =
        rows.iter().filter(|row| matches!(row.entry(), Ok(Entry::Manual | Entry::ECommerce)));
    vec![
        Figure::new(
            "declined in person",
            share(rows.iter().filter(|row| in_person(row)), declined),
            0.0085,
            0.0120,
        ),
        Figure::new(
            "declined online, goods",
            share(online().filter(|row| !digital(row)), declined),
            0.030,
            0.045,
        ),
        Figure::new(
            "declined online, digital",
            share(online().filter(|row| digital(row)), declined),
            0.13,
            0.17,
        ),
        Figure::new("no funds", share(refused(), |row| row.response_code == "51"), 0.40, 0.48),
        Figure::new("suspected", share(refused(), |row| row.response_code == "59"), 0.07, 0.11),
        Figure::new("mistyped", share(typed, |row| row.response_code == "14"), 0.0003, 0.0030),
    ]
}

/// Where and how is paid.
pub(super) fn habits(rows: &[Row]) -> Vec<Figure> {
    let present = || rows.iter().filter(|row| in_person(row));
    let mode = |prefixes: &'static [&'static str]| {
        move |row: &Row| prefixes.iter().any(|prefix| row.pos_entry_mode.starts_with(prefix))
    };
    let home = |row: &Row| row.merchant_country == row.card_country;
    let mut merchants: BTreeMap<&str, f64> = BTreeMap::new();
    for row in rows {
        *merchants.entry(&row.merchant_id).or_default() += 1.0;
    }
    let mut counts: Vec<f64> = merchants.into_values().collect();
    counts.sort_by(|a, b| b.total_cmp(a));
    let top = counts.iter().take(100).sum::<f64>() / rows.len() as f64;
    let numbers = rows.iter().filter_map(|row| row.account_id.as_deref()?.get(5..)?.parse().ok());
    let accounts = numbers.fold(0.0_f64, f64::max);
    let advices = share(rows.iter(), |row| row.mti == "0120");
    vec![
        Figure::new("in person", share(rows.iter(), in_person), 0.74, 0.78),
        Figure::new("in person at home", share(present(), home), 0.88, 0.93),
        Figure::new("chip", share(present(), mode(&["05"])), 0.25, 0.45),
        Figure::new("contactless", share(present(), mode(&["07"])), 0.50, 0.75),
        Figure::new("fallback and stripe", share(present(), mode(&["79", "80", "90"])), 0.01, 0.06),
        // 500/s at 1.92 a day each: 22.5 million, of which a sample's last comes close.
        Figure::new("accounts", accounts, 21e6, 23e6),
        Figure::new("advices", advices, 0.015, 0.025),
        Figure::new("at the first 100 merchants of 400,000", top, 0.01, 0.25),
    ]
}

/// Checks what is one between rows: identities once, and each token, device, terminal, merchant and
/// account with the same owner and place wherever it occurs.
pub(super) fn consistent(rows: &[Row]) -> Result<(), String> {
    let mut once = BTreeSet::new();
    let mut owners: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for row in rows {
        for (name, text) in [("event_id", &row.event_id), ("rrn", &row.rrn)] {
            if !once.insert((name, text)) {
                return Err(format!("{name} {text} occurs twice"));
            }
        }
        let account = row.account_id.as_deref().unwrap_or_default();
        let card = format!("{account} {} {} {}", row.bin, row.last4, row.card_country);
        let shop = format!("{} {} {}", row.merchant_name_location, row.mcc, row.acquirer_id);
        let mut claims = vec![
            (("card", row.card_token.as_str()), card),
            (("merchant", row.merchant_id.as_str()), shop),
            (("terminal", row.terminal_id.as_str()), row.merchant_id.clone()),
        ];
        if let (Some(account), Some(customer)) = (&row.account_id, &row.customer_id) {
            let owner = format!("{customer} {}", row.card_country);
            claims.push((("account", account.as_str()), owner));
            if let Some(device) = &row.device_id {
                claims.push((("device", device.as_str()), account.clone()));
            }
        }
        for ((kind, name), owner) in claims {
            let known = owners.entry((kind, name)).or_insert_with(|| owner.clone());
            if *known != owner {
                return Err(format!("{kind} {name} is of {known:?} and of {owner:?}"));
            }
        }
    }
    Ok(())
}

/// How accounts act over one day: rows of a run with few accounts.
pub(super) fn activity(rows: &[Row], accounts: f64) -> Result<Vec<Figure>, String> {
    let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let (mut night, mut noon) = (0.0_f64, 0.0_f64);
    for row in rows {
        let time: jiff::Timestamp =
            row.event_time.parse().map_err(|error: jiff::Error| error.to_string())?;
        if let Some(account) = &row.account_id {
            times.entry(account).or_default().push(time.as_second());
        }
        match row.local_time.get(11..13) {
            Some("03") if in_person(row) => night += 1.0,
            Some("12") if in_person(row) => noon += 1.0,
            _ => {}
        }
    }
    for times in times.values_mut() {
        times.sort_unstable();
    }
    let mean = rows.len() as f64 / accounts;
    let squares: f64 = times.values().map(|times| (times.len() as f64).powi(2)).sum();
    // Poisson counts of a gamma rate: variance = mean + mean² / shape.
    let variance = squares / accounts - mean * mean;
    let shape = mean * mean / (variance - mean);
    let busy = times.values().filter(|times| {
        times
            .windows(5)
            .any(|five| five.last().zip(five.first()).is_some_and(|(b, a)| b - a < 3600))
    });
    Ok(vec![
        Figure::new("payments an account", mean, 1.0, 3.0),
        Figure::new("shape of activity", shape, 1.2, 1.9),
        Figure::new(
            "accounts with 5 payments in an hour",
            busy.count() as f64 / accounts,
            0.0,
            1e-3,
        ),
        Figure::new("payments at noon for one at night", noon / night, 4.0, 1e3),
    ])
}
