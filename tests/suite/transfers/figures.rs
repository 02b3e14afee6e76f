//! Figures: what many rows add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use tidegate::stream::Options;

use super::{FEW, HOUR_US, Told, days, on, told};

/// Figures that were found, and the bounds that they left.
#[derive(Default)]
struct Figures {
    wrong: String,
}

impl Figures {
    #[expect(clippy::print_stdout, reason = "shown with --nocapture, and when a test fails")]
    fn expect(&mut self, name: &str, found: f64, bounds: RangeInclusive<f64>) {
        let line = format!("{name}: {found:.4}, of {} to {}", bounds.start(), bounds.end());
        println!("{line}");
        if !bounds.contains(&found) {
            writeln!(self.wrong, "{line}").unwrap();
        }
    }

    fn hold(&self) {
        assert!(self.wrong.is_empty(), "{}", self.wrong);
    }
}

/// A transfer's amount in euro.
fn euro(told: &Told) -> f64 {
    let rate = match told.text("currency").unwrap() {
        "EUR" => 100.0,
        "GBP" => 82.92,
        "CHF" => 94.12,
        "SEK" => 1145.90,
        "DKK" => 745.78,
        "PLN" => 427.50,
        "CZK" => 2518.50,
        "RON" => 497.43,
        _ => f64::NAN,
    };
    told.number("amount_minor") as f64 / rate
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[sorted.len() * percent / 100]
}

fn of<'t>(all: &'t [Told], stream: &'static str) -> impl Iterator<Item = &'t Told> {
    all.iter().filter(move |told| told.stream == stream)
}

/// The share of those for which it holds.
fn share<'t>(all: impl Iterator<Item = &'t Told>, holds: impl Fn(&Told) -> bool) -> f64 {
    let (mut count, mut those) = (0.0, 0.0);
    for told in all {
        count += 1.0;
        those += f64::from(u8::from(holds(told)));
    }
    those / count
}

/// How many others each account has to do with, the most first.
fn degrees(accounts: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<f64> {
    let mut degrees = sorted(accounts.values().map(|others| others.len() as f64));
    degrees.reverse();
    degrees
}

/// Half a day in which 3,000 people do what others do in 25 days, so that pairs meet again.
fn long() -> &'static [Told] {
    static LONG: OnceLock<Vec<Told>> = OnceLock::new();
    LONG.get_or_init(|| {
        let more = [
            ("entities.person.count", "3000"),
            ("entities.person.activity.mean", "0.1/day"),
            ("entities.account.activity.mean", "20/day"),
            ("entities.card.activity.mean", "5/day"),
            ("entities.company_account.activity.mean", "2/day"),
        ];
        let flags: Vec<_> = FEW.iter().copied().chain(more).collect();
        told(&flags, Options { window_us: 0..12 * HOUR_US, ..Options::default() })
    })
}

#[test]
fn amounts_statuses_and_delays_are_as_the_model_says() {
    let mut figures = Figures::default();
    let people = || of(days(), "transfers");
    let amounts = sorted(people().map(euro));
    figures.expect("people: median in euro", quantile(&amounts, 50), 40.0..=50.0);
    figures.expect("people: 99 % in euro", quantile(&amounts, 99), 900.0..=1_600.0);
    let amounts = sorted(of(days(), "company_transfers").map(euro));
    figures.expect("companies: median in euro", quantile(&amounts, 50), 105.0..=160.0);
    figures.expect("companies: 99 % in euro", quantile(&amounts, 99), 20_000.0..=60_000.0);
    let wages = sorted(of(days(), "wages").map(euro));
    figures.expect("wages: median in euro", quantile(&wages, 50), 1_550.0..=1_950.0);
    let once: BTreeSet<_> = of(days(), "wages").map(|told| told.text("creditor_account")).collect();
    figures.expect("wages in half a day, of 20,000 in 30", once.len() as f64, 332.0..=335.0);
    assert_eq!(once.len(), wages.len(), "nobody is paid twice");
    let status = |status| move |told: &Told| told.text("status") == Some(status);
    figures.expect("pending", share(people(), status("PDNG")), 0.012..=0.017);
    figures.expect("rejected", share(people(), status("RJCT")), 0.018..=0.032);
    let instant = |told: &Told| told.text("instrument") == Some("instant");
    figures.expect("instant, of people's", share(people(), instant), 0.28..=0.31);
    let abroad = |told: &Told| told.value["debtor_country"] != told.value["creditor_country"];
    figures.expect("people's that go abroad", share(people(), abroad), 0.025..=0.045);
    let deposit = |told: &Told| told.text("instrument") == Some("cash_deposit");
    figures.expect("cash that is paid in", share(of(days(), "cash"), deposit), 0.165..=0.195);
    let whole = |told: &Told| told.number("amount_minor") % 1_000 == 0;
    figures.expect("cash in whole notes", share(of(days(), "cash"), whole), 1.0..=1.0);
    let first = |told: &&Told| told.value["request_no"] == 1;
    let delay = |told: &Told| {
        let begun: jiff::Timestamp = told.text("original_created_at").unwrap().parse().unwrap();
        (told.at_us - begun.as_microsecond()) as f64 / 1e6
    };
    let delays = sorted(on("transfers.status_requests").filter(first).map(delay));
    figures.expect("seconds to a request, least", delays[0], 90.0..=100.0);
    figures.expect("seconds to a request, median", quantile(&delays, 50), 275.0..=325.0);
    let answers = || of(days(), "reports").chain(of(days(), "company_reports"));
    figures.expect("answers that are none", share(answers(), status("PDNG")), 0.26..=0.34);
    figures.hold();
}

#[test]
fn the_graph_of_accounts_has_hubs_and_pairs_that_meet_again() {
    let mut figures = Figures::default();
    let mut pairs: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
    let mut payers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut payees: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let transfers = long().iter().filter(|told| told.topic == "transfers");
    for told in transfers {
        let Some((debtor, creditor)) = told.accounts() else { continue };
        payers.entry(creditor).or_default().insert(debtor);
        payees.entry(debtor).or_default().insert(creditor);
        if told.stream == "transfers" {
            pairs.entry((debtor, creditor)).or_default().push(told.number("amount_minor"));
        }
    }
    let count = |pairs: &[&Vec<i64>]| pairs.iter().map(|all| all.len() as f64).sum::<f64>();
    let again: Vec<&Vec<i64>> = pairs.values().filter(|amounts| amounts.len() > 1).collect();
    let all = count(&pairs.values().collect::<Vec<_>>());
    figures.expect("transfers in pairs that meet again", count(&again) / all, 0.55..=0.75);
    let same = again.iter().filter(|amounts| amounts.windows(2).all(|two| two[0] == two[1]));
    let same = same.count() as f64 / again.len() as f64;
    figures.expect("pairs with one amount, of those", same, 0.15..=0.40);
    let back = pairs.keys().filter(|(from, to)| pairs.contains_key(&(*to, *from))).count();
    figures.expect("pairs that pay both ways", back as f64 / pairs.len() as f64, 0.01..=0.06);
    for (name, accounts, bounds) in [
        ("payers of the hundredth with most", &payers, 0.10..=0.30),
        ("payees of the hundredth with most", &payees, 0.03..=0.20),
    ] {
        let degrees = degrees(accounts);
        let of_hubs = degrees[..degrees.len() / 100].iter().sum::<f64>();
        figures.expect(name, of_hubs / degrees.iter().sum::<f64>(), bounds);
    }
    // Hill's estimate: a tail that falls like x^−a has a of some 2; that of a bell has 10 and more.
    let degrees = degrees(&payers);
    let hubs = degrees.len() / 100;
    let above = degrees[..hubs].iter().map(|degree| (degree / degrees[hubs]).ln()).sum::<f64>();
    figures.expect("the tail of payers", hubs as f64 / above, 1.2..=3.2);
    figures.hold();
}

#[test]
fn who_sends_money_to_a_person_often_says_so() {
    let to_people = |told: &&Told| {
        let creditor = told.text("creditor_account");
        told.text("status") != Some("RJCT") && creditor.is_some_and(|id| id.starts_with("acct-p"))
    };
    let sent = of(days(), "transfers").filter(to_people).count() as f64;
    let said = of(days(), "notices").count() as f64;
    let mut figures = Figures::default();
    // Those of the last minutes are said later.
    figures.expect("transfers between people that are told", said / sent, 0.27..=0.31);
    figures.hold();
}
