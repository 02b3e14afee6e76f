//! A row of `payments.authorisations`, as JSON has it.

use serde::Deserialize;
use serde_json::Value;

use super::reference::Reference;

/// How many fields a row has.
const FIELD_COUNT: usize = 39;

/// A row as JSON has it: decimals and times as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) event_id: String,
    pub(super) event_time: String,
    pub(super) local_time: String,
    pub(super) mti: String,
    pub(super) processing_code: String,
    pub(super) stan: String,
    pub(super) rrn: String,
    pub(super) acquirer_id: String,
    pub(super) card_token: String,
    pub(super) bin: String,
    pub(super) last4: String,
    pub(super) account_id: Option<String>,
    pub(super) customer_id: Option<String>,
    pub(super) merchant_id: String,
    pub(super) merchant_name_location: String,
    pub(super) terminal_id: String,
    pub(super) mcc: String,
    pub(super) merchant_country: String,
    pub(super) card_country: String,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) billing_amount_minor: i64,
    pub(super) billing_currency: String,
    pub(super) conversion_rate: Option<String>,
    pub(super) pos_entry_mode: String,
    pub(super) cardholder_verification: String,
    pub(super) recurring: bool,
    pub(super) response_code: String,
    pub(super) approval_code: Option<String>,
    pub(super) cvv_result: Option<String>,
    pub(super) avs_result: Option<String>,
    pub(super) eci: Option<String>,
    pub(super) three_ds_result: Option<String>,
    pub(super) device_id: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) latitude: Option<f64>,
    pub(super) longitude: Option<f64>,
    pub(super) attempt_no: i32,
    pub(super) original_event_id: Option<String>,
}

/// How a card number came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    InPerson,
    Manual,
    OnFile,
    ECommerce,
}

impl Row {
    /// Reads a row; a field too many or too few is an error.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let found = value.as_object().map_or(0, serde_json::Map::len);
        if found != FIELD_COUNT {
            return Err(format!("shape: {found} fields, not {FIELD_COUNT}"));
        }
        Self::deserialize(value).map_err(|error| format!("shape: {error}"))
    }

    /// How the card number came in; a terminal that is somewhere was paid at in person.
    pub(super) fn entry(&self) -> Result<Entry, String> {
        let in_person =
            ["051", "052", "071", "072", "791", "801", "901", "902", "911", "951", "011", "000"];
        let mode = self.pos_entry_mode.as_str();
        match (self.latitude.is_some(), mode) {
            (true, mode) if in_person.contains(&mode) => Ok(Entry::InPerson),
            (false, "010" | "012") => Ok(Entry::Manual),
            (false, "100" | "102") => Ok(Entry::OnFile),
            (false, "810" | "812") => Ok(Entry::ECommerce),
            _ => Err(format!("entry mode {mode}, latitude {:?}", self.latitude)),
        }
    }

    /// Country and city of DE43.
    pub(super) fn location(&self) -> Result<(String, String), String> {
        let text = &self.merchant_name_location;
        if !text.is_ascii() || text.len() != 40 {
            return Err(format!("{text:?} is not 40 characters of ASCII"));
        }
        Ok((text[38..].to_owned(), text[25..38].trim_end().to_owned()))
    }

    /// The amount in euro.
    pub(super) fn euro(&self, reference: &Reference) -> Result<f64, String> {
        Ok(self.amount_minor as f64 * 100.0 / reference.rate(&self.currency)? as f64)
    }
}
