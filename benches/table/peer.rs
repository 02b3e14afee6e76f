//! apache-avro's serde encoder, on records decoded from what we wrote.

use anyhow::{Context as _, Result, ensure};
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::ResolvedSchema;
use apache_avro::types::Value;
use apache_avro::{Decimal, Schema, write_avro_datum_ref};
use serde::Serialize;

/// Records as a program that uses serde holds them, and the schema that they are written by.
pub(crate) struct Peer<'a> {
    schema: &'a Schema,
    resolved: ResolvedSchema<'a>,
    records: Vec<Payment>,
    out: Vec<u8>,
}

impl<'a> Peer<'a> {
    /// Decodes datums that follow each other without a gap, and checks that the peer writes the
    /// same bytes.
    pub(crate) fn new(schema: &'a Schema, mut datums: &[u8]) -> Result<Self> {
        let all = datums;
        let reader = GenericDatumReader::builder(schema).build().context("the schema")?;
        let mut records = Vec::new();
        while !datums.is_empty() {
            records.push(Payment::from(reader.read_value(&mut datums)?));
        }
        let resolved = ResolvedSchema::new(schema)?;
        let mut peer = Self { schema, resolved, records, out: Vec::with_capacity(all.len()) };
        peer.encode()?;
        ensure!(peer.out == all, "both sides must write the same bytes");
        Ok(peer)
    }

    /// Writes all records, over those of the last time; returns how many.
    pub(crate) fn encode(&mut self) -> Result<usize> {
        self.out.clear();
        for record in &self.records {
            let names = self.resolved.get_names();
            write_avro_datum_ref(self.schema, names, record, &mut self.out)?;
        }
        Ok(self.records.len())
    }
}

macro_rules! payment {
    ($($name:ident: $type:ty = $from:ident,)*) => {
        /// The record as a program that uses serde would hold it.
        #[derive(Serialize)]
        struct Payment { $($name: $type,)* }

        impl Payment {
            fn from(value: Value) -> Self {
                let Value::Record(fields) = value else { unreachable!("a record was written") };
                let mut fields = fields.into_iter().map(|(_, value)| value);
                Self { $($name: $from(fields.next()),)* }
            }
        }
    };
}

payment! {
    event_id: String = text, event_time: i64 = long, local_time: String = text,
    mti: String = text, processing_code: String = text, stan: String = text,
    rrn: String = text, acquirer_id: String = text, card_token: String = text,
    bin: String = text, last4: String = text, account_id: Option<String> = some_text,
    customer_id: Option<String> = some_text, merchant_id: String = text,
    merchant_name_location: String = text, terminal_id: String = text, mcc: String = text,
    merchant_country: String = text, card_country: String = text, amount_minor: i64 = long,
    currency: String = text, billing_amount_minor: i64 = long, billing_currency: String = text,
    conversion_rate: Option<Decimal> = some_decimal, pos_entry_mode: String = text,
    cardholder_verification: String = text, recurring: bool = flag, response_code: String = text,
    approval_code: Option<String> = some_text, cvv_result: Option<String> = some_text,
    avs_result: Option<String> = some_text, eci: Option<String> = some_text,
    three_ds_result: Option<String> = some_text, device_id: Option<String> = some_text,
    ip: Option<String> = some_text, latitude: Option<f64> = some_double,
    longitude: Option<f64> = some_double, attempt_no: i32 = int,
    original_event_id: Option<String> = some_text,
}

fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        Some(Value::Uuid(uuid)) => uuid.to_string(),
        other => unreachable!("{other:?} is no text"),
    }
}

fn long(value: Option<Value>) -> i64 {
    match value {
        Some(Value::Long(value) | Value::TimestampMicros(value)) => value,
        other => unreachable!("{other:?} is no long"),
    }
}

fn int(value: Option<Value>) -> i32 {
    match value {
        Some(Value::Int(value)) => value,
        other => unreachable!("{other:?} is no int"),
    }
}

fn flag(value: Option<Value>) -> bool {
    match value {
        Some(Value::Boolean(value)) => value,
        other => unreachable!("{other:?} is no boolean"),
    }
}

fn some(value: Option<Value>) -> Option<Value> {
    match value {
        Some(Value::Union(_, value)) if *value == Value::Null => None,
        Some(Value::Union(_, value)) => Some(*value),
        other => unreachable!("{other:?} is no union"),
    }
}

fn some_text(value: Option<Value>) -> Option<String> {
    some(value).map(|value| text(Some(value)))
}

fn some_double(value: Option<Value>) -> Option<f64> {
    match some(value)? {
        Value::Double(value) => Some(value),
        other => unreachable!("{other:?} is no double"),
    }
}

fn some_decimal(value: Option<Value>) -> Option<Decimal> {
    match some(value)? {
        Value::Decimal(decimal) => Some(decimal),
        other => unreachable!("{other:?} is no decimal"),
    }
}
