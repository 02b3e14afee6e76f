//! The models, curves, tables and schemas that come with the program.

mod told;

pub use self::told::{Told, curves, told_of};

/// A path from the root of the sources, and the text there.
macro_rules! file {
    ($path:literal) => {
        ($path, include_str!(concat!("../../", $path)))
    };
}

/// Every file that is compiled in, by its path from the root of the sources.
///
/// A model is a file right under `config/`; what it names is found by the same relative paths as
/// on disk.
const FILES: &[(&str, &str)] = &[
    file!("config/curves.toml"),
    file!("config/market.toml"),
    file!("config/market/sectors.csv"),
    file!("config/orders.toml"),
    file!("config/orders/categories.csv"),
    file!("config/payments.toml"),
    file!("config/payments/bins.csv"),
    file!("config/payments/brands.csv"),
    file!("config/payments/cities.csv"),
    file!("config/payments/fees.csv"),
    file!("config/payments/mccs.csv"),
    file!("config/payments/modes.csv"),
    file!("config/payments/responses.csv"),
    file!("config/payments/secures.csv"),
    file!("config/scenarios/backlog.toml"),
    file!("config/scenarios/baseline.toml"),
    file!("config/scenarios/burst_and_gap.toml"),
    file!("config/scenarios/card_outage.toml"),
    file!("config/scenarios/customer_segments.toml"),
    file!("config/scenarios/festival.toml"),
    file!("config/scenarios/flash_crowd.toml"),
    file!("config/scenarios/flash_sale.toml"),
    file!("config/scenarios/issuer_degradation.toml"),
    file!("config/scenarios/multi_channel.toml"),
    file!("config/scenarios/payment_outage.toml"),
    file!("config/scenarios/returns_wave.toml"),
    file!("config/scenarios/salary_day.toml"),
    file!("config/scenarios/seasonal_planning.toml"),
    file!("config/scenarios/supply_disruption.toml"),
    file!("config/scenarios/upi_outage.toml"),
    file!("config/scenarios/viral_endogenous.toml"),
    file!("config/scenarios/viral_exogenous.toml"),
    file!("config/scenarios/viral_exogenous_critical.toml"),
    file!("config/scenarios/viral_moment.toml"),
    file!("config/sessions.toml"),
    file!("config/transfers.toml"),
    file!("config/transfers/banks.csv"),
    file!("config/transfers/cities.csv"),
    file!("config/transfers/dwellings.csv"),
    file!("config/transfers/incomes.csv"),
    file!("config/transfers/purposes.csv"),
    file!("config/transfers/reasons.csv"),
    file!("config/words/cities.csv"),
    file!("config/words/company_forms.csv"),
    file!("config/words/countries.csv"),
    file!("config/words/currencies.csv"),
    file!("config/words/first_names.csv"),
    file!("config/words/ibans.csv"),
    file!("config/words/last_names.csv"),
    file!("config/words/lorem.csv"),
    file!("config/words/pans.csv"),
    file!("config/words/phones.csv"),
    file!("config/words/products.csv"),
    file!("config/words/streets.csv"),
    file!("config/words/user_agents.csv"),
    file!("schemas/market/Bar.avsc"),
    file!("schemas/market/Quote.avsc"),
    file!("schemas/market/Trade.avsc"),
    file!("schemas/orders/Campaign.avsc"),
    file!("schemas/orders/Customer.avsc"),
    file!("schemas/orders/Order.avsc"),
    file!("schemas/orders/OrderItem.avsc"),
    file!("schemas/orders/Payment.avsc"),
    file!("schemas/orders/Product.avsc"),
    file!("schemas/orders/Return.avsc"),
    file!("schemas/orders/Shipment.avsc"),
    file!("schemas/payments/Account.avsc"),
    file!("schemas/payments/Authorisation.avsc"),
    file!("schemas/payments/Card.avsc"),
    file!("schemas/payments/Clearing.avsc"),
    file!("schemas/payments/Customer.avsc"),
    file!("schemas/payments/Device.avsc"),
    file!("schemas/payments/Dispute.avsc"),
    file!("schemas/payments/Merchant.avsc"),
    file!("schemas/run/Control.avsc"),
    file!("schemas/run/Fault.avsc"),
    file!("schemas/sessions/SessionEvent.avsc"),
    file!("schemas/transfers/Account.avsc"),
    file!("schemas/transfers/Communication.avsc"),
    file!("schemas/transfers/Company.avsc"),
    file!("schemas/transfers/CompanyAccount.avsc"),
    file!("schemas/transfers/Person.avsc"),
    file!("schemas/transfers/StatusReport.avsc"),
    file!("schemas/transfers/StatusRequest.avsc"),
    file!("schemas/transfers/Transfer.avsc"),
];

/// The library of curves, which is no model.
pub(super) const CURVES: &str = "config/curves.toml";

/// Where the tables of words are.
pub(super) const WORDS: &str = "config/words/";

/// All files that come with the program: paths and texts.
pub(super) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied()
}

/// The names of the models that come with the program.
pub fn models() -> impl Iterator<Item = &'static str> + Clone {
    FILES.iter().filter(|(path, _)| *path != CURVES).filter_map(|(path, _)| {
        path.strip_prefix("config/")?.strip_suffix(".toml").filter(|name| !name.contains('/'))
    })
}

/// Where the scenarios are.
const SCENARIOS: &str = "config/scenarios/";

/// The names of the scenarios that come with the program.
pub fn scenarios() -> impl Iterator<Item = &'static str> + Clone {
    FILES.iter().filter_map(|(path, _)| path.strip_prefix(SCENARIOS)?.strip_suffix(".toml"))
}

/// A scenario that comes with the program: its path and its text.
pub(super) fn scenario(name: &str) -> Option<(&'static str, &'static str)> {
    let is_it = |path: &str| {
        path.strip_prefix(SCENARIOS).and_then(|path| path.strip_suffix(".toml")) == Some(name)
    };
    FILES.iter().copied().find(|(path, _)| is_it(path))
}

/// What a model that comes with the program is: the first sentence of the comment at its top.
pub fn about(name: &str) -> String {
    let text = open(&format!("config/{name}.toml")).unwrap_or_default();
    let lines = text.lines().map_while(|line| line.strip_prefix('#'));
    let comment = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    comment.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
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
