//! References: what an event names was told of before, and agrees with it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{HOUR_US, Told, days, on};

const TRANSFER_FIELDS: [(&str, &str); 2] =
    [("debtor", "currency"), ("creditor", "settlement_currency")];
const DAY_US: i64 = 86_400_000_000;

/// What changelogs have told so far.
#[derive(Default)]
struct Register<'t> {
    people: BTreeMap<&'t str, &'t Value>,
    companies: BTreeMap<&'t str, &'t Value>,
    accounts: BTreeMap<&'t str, &'t Value>,
}

impl<'t> Register<'t> {
    /// Whether it was a record of a changelog.
    fn takes(&mut self, told: &'t Told) -> bool {
        let part = match told.topic.as_str() {
            "transfers.persons" => &mut self.people,
            "transfers.companies" => &mut self.companies,
            "transfers.accounts" | "transfers.company_accounts" => &mut self.accounts,
            _ => return false,
        };
        if told.value.is_null() {
            assert!(part.remove(told.key.as_str()).is_some(), "{} ends nobody", told.key);
        } else {
            part.insert(&told.key, &told.value);
        }
        true
    }

    /// One side of a transfer, which must agree with the account; null where there is no account.
    fn account(&self, told: &Told, (side, currency): (&str, &str)) -> Option<&'t Value> {
        let id = told.text(&format!("{side}_account"))?;
        assert!(self.accounts.contains_key(id), "{id} is nobody's: {}", told.value);
        let account = self.accounts[id];
        for field in ["iban", "agent", "country"] {
            assert_eq!(told.value[format!("{side}_{field}")], account[field], "{}", told.value);
        }
        assert_eq!(told.value[currency], account["currency"], "{}", told.value);
        Some(account)
    }
}

/// The rest by 97 of a number of an account, as ISO 7064 has it.
fn rest_of(iban: &str) -> u32 {
    let (first, rest) = iban.split_at(4);
    let digits = rest.chars().chain(first.chars()).map(|letter| letter.to_digit(36).unwrap());
    digits.fold(0, |rest, digit| (rest * if digit > 9 { 100 } else { 10 } + digit) % 97)
}

fn day_of(date: &str) -> i64 {
    let date: jiff::civil::Date = date.parse().unwrap();
    i64::from(date.since(jiff::civil::date(1970, 1, 1)).unwrap().get_days())
}

fn micros_of(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// Why a transfer is rejected, by what the two accounts are.
fn check_verdict(told: &Told, debtor: Option<&Value>, creditor: Option<&Value>) {
    let is = |side: Option<&Value>, status: &str| side.is_some_and(|it| it["status"] == status);
    let mover = if told.stream == "cash" { debtor.or(creditor) } else { debtor };
    let asleep = mover.is_some_and(|it| it["status"] != "active");
    let reason = told.text("reason");
    assert_eq!(reason == Some("AG01"), asleep, "{}", told.value);
    if told.stream != "cash" && !asleep {
        assert_eq!(reason == Some("AC04"), is(creditor, "closed"), "{}", told.value);
        assert_eq!(reason == Some("AC06"), is(creditor, "blocked"), "{}", told.value);
        assert_eq!(reason == Some("AC01"), creditor.is_none(), "{}", told.value);
    }
    assert_eq!(reason.is_some(), told.text("status") == Some("RJCT"), "{}", told.value);
}

fn check_money(told: &Told) {
    let (amount, settled) = (told.number("amount_minor"), told.number("settlement_amount_minor"));
    assert!(amount > 0 && settled >= 0, "{}", told.value);
    let same = told.value["currency"] == told.value["settlement_currency"];
    let exact = match told.text("exchange_rate") {
        None => amount,
        Some(rate) => {
            let millionths: i64 = rate.replace('.', "").parse().unwrap();
            (amount * millionths + 500_000).div_euclid(1_000_000)
        }
    };
    assert_eq!((told.value["exchange_rate"].is_null(), settled), (same, exact), "{}", told.value);
}

fn check_settlement(told: &Told) {
    let days = day_of(told.text("settlement_date").unwrap()) - told.at_us.div_euclid(DAY_US);
    let at_once = told.text("instrument") != Some("credit");
    assert!(if at_once { days == 0 } else { (1..=5).contains(&days) }, "{}", told.value);
    // Day 3 since 1970 was a Sunday.
    let weekday = (day_of(told.text("settlement_date").unwrap()) - 4).rem_euclid(7);
    assert!(at_once || weekday < 5, "{} settles on a weekend", told.value);
}

#[test]
fn every_transfer_is_between_accounts_that_were_told_of_and_agree() {
    let mut register = Register::default();
    let (mut count, mut outside, mut refused) = (0, 0, BTreeSet::new());
    let mut ordered: Vec<&Told> = days().iter().collect();
    ordered.sort_by_key(|told| told.at_us);
    for told in ordered {
        if register.takes(told) || told.topic != "transfers" {
            continue;
        }
        let [debtor, creditor] = TRANSFER_FIELDS.map(|side| register.account(told, side));
        assert_ne!(told.value["debtor_account"], told.value["creditor_account"], "{}", told.value);
        let key = told.text("debtor_account").or(told.text("creditor_account"));
        assert_eq!(key, Some(told.key.as_str()));
        assert_eq!(told.at_us, micros_of(told.text("created_at").unwrap()));
        for iban in ["debtor_iban", "creditor_iban"].iter().filter_map(|side| told.text(side)) {
            assert_eq!(rest_of(iban), 1, "{iban}");
        }
        check_verdict(told, debtor, creditor);
        check_money(told);
        check_settlement(told);
        if told.stream == "wages" {
            let person = register.people[creditor.unwrap()["person_id"].as_str().unwrap()];
            assert_eq!(debtor.unwrap()["company_id"], person["employer_id"], "{}", told.value);
            assert_eq!(told.value["purpose"], person["income"], "{}", told.value);
        }
        count += 1;
        outside += u32::from(told.text("exchange_rate").is_some());
        refused.extend(told.text("reason"));
    }
    assert!(count > 60_000 && outside > 1_000, "{count} transfers, {outside} foreign");
    for reason in ["AG01", "AC01", "AC04", "AC06", "AM04", "FR01"] {
        assert!(refused.contains(reason), "{reason} is not among {refused:?}");
    }
}

#[test]
fn every_account_has_a_holder_and_a_number_of_its_country() {
    let mut register = Register::default();
    let all: Vec<&Told> = days().iter().filter(|told| register.takes(told)).collect();
    for told in all.iter().filter(|told| !told.value.is_null()) {
        match told.topic.as_str() {
            "transfers.accounts" => {
                let person = register.people[told.text("person_id").unwrap()];
                assert_eq!(told.value["country"], person["country"]);
            }
            "transfers.company_accounts" => {
                let company = register.companies[told.text("company_id").unwrap()];
                assert_eq!(told.value["country"], company["country"]);
            }
            "transfers.persons" => {
                let employer = told.text("employer_id").unwrap();
                assert!(register.companies.contains_key(employer), "{employer}");
                continue;
            }
            _ => continue,
        }
        let country = told.text("country").unwrap();
        let (iban, agent) = (told.text("iban").unwrap(), told.text("agent").unwrap());
        assert!(iban.starts_with(country) && rest_of(iban) == 1, "{iban} of {country}");
        // T0 is where SWIFT puts the codes of its test and training network.
        assert_eq!((agent.len(), &agent[4..]), (8, format!("{country}T0").as_str()));
    }
    assert!(all.len() > 60_000, "{}", all.len());
}

#[test]
fn every_status_request_is_of_a_pending_transfer_and_every_report_answers_one() {
    let transfers: BTreeMap<&str, &Told> =
        on("transfers").map(|told| (told.text("event_id").unwrap(), told)).collect();
    let requests: BTreeMap<&str, &Told> = on("transfers.status_requests")
        .map(|told| (told.text("event_id").unwrap(), told))
        .collect();
    // The last word about a transfer: when it was, and what.
    let mut answers: BTreeMap<&str, (i64, &str)> = BTreeMap::new();
    let mut asked: BTreeSet<(&str, i64)> = BTreeSet::new();
    let mut ordered: Vec<&Told> =
        on("transfers.status_requests").chain(on("transfers.status_reports")).collect();
    ordered.sort_by_key(|told| told.at_us);
    for told in ordered {
        let transfer = transfers[told.text("original_event_id").unwrap()];
        let id = transfer.text("event_id").unwrap();
        assert_eq!(told.value["original_uetr"], transfer.value["uetr"]);
        assert_eq!(told.value["debtor_account"], transfer.value["debtor_account"]);
        assert_eq!(told.key, transfer.key);
        if let Some(request) = told.text("request_id") {
            let request = requests[request];
            assert!(request.at_us <= told.at_us && request.text("original_event_id") == Some(id));
            answers.insert(id, (told.at_us, told.text("status").unwrap()));
            continue;
        }
        let number = told.number("request_no");
        assert!(asked.insert((id, number)), "asked twice: {}", told.value);
        let (since, status) = match number {
            1 => (transfer.at_us, transfer.text("status").unwrap()),
            _ => answers[id],
        };
        assert_eq!(status, "PDNG", "{}", told.value);
        assert!(
            told.at_us - since >= 90_000_000,
            "{} µs after: {}",
            told.at_us - since,
            told.value
        );
        assert_eq!(micros_of(told.text("original_created_at").unwrap()), transfer.at_us);
        for (field, of) in [
            ("original_end_to_end_id", "end_to_end_id"),
            ("instructing_agent", "debtor_agent"),
            ("instructed_agent", "creditor_agent"),
            ("amount_minor", "amount_minor"),
            ("currency", "currency"),
        ] {
            assert_eq!(told.value[field], transfer.value[of], "{field}");
        }
    }
    let until = days().iter().map(|told| told.at_us).max().unwrap() - 4 * HOUR_US.cast_signed();
    let pending = transfers.values().filter(|told| told.text("status") == Some("PDNG"));
    for told in pending.filter(|told| told.at_us < until) {
        let (_, last) = answers[told.text("event_id").unwrap()];
        let twice = asked.contains(&(told.text("event_id").unwrap(), 2));
        assert!(twice || last != "PDNG", "nobody asked again about {}", told.value);
    }
    assert!(asked.len() > 1_000, "{}", asked.len());
}

#[test]
fn people_reach_each_other_where_they_are_reached() {
    let people: BTreeMap<&str, &Told> =
        on("transfers.persons").map(|told| (told.key.as_str(), told)).collect();
    let mut paid = BTreeSet::new();
    let mut accounts: BTreeMap<&str, &str> = BTreeMap::new();
    for told in on("transfers.accounts").filter(|told| !told.value.is_null()) {
        accounts.insert(&told.key, told.text("person_id").unwrap());
    }
    for told in on("transfers").filter(|told| told.stream == "transfers") {
        if let Some((from, to)) = told.accounts()
            && let (Some(from), Some(to)) = (accounts.get(from), accounts.get(to))
        {
            paid.insert((*from, *to));
        }
    }
    let mut notices = 0;
    for told in on("communications") {
        let address = if told.text("kind") == Some("mail") { "email" } else { "phone" };
        let [from, to] = ["from", "to"].map(|side| {
            let person = people[told.text(&format!("{side}_person")).unwrap()];
            assert_eq!(told.value[format!("{side}_address")], person.value[address]);
            person.key.as_str()
        });
        assert_eq!(told.key, from);
        assert_eq!(told.text("kind") == Some("call"), !told.value["duration_s"].is_null());
        if told.stream == "notices" {
            assert!(paid.contains(&(from, to)), "{from} paid {to} nothing");
            notices += 1;
        } else {
            assert_ne!(from, to, "{}", told.value);
        }
    }
    assert!(notices > 300, "{notices}");
}
