//! The entries of the stream that tells what faults did.

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;

use super::super::{Error, Record, Route, Who};
use super::Deed;
use super::change::Shape;
use crate::encode::wire::framing;
use crate::plan::fault::Ledger;
use crate::plan::{Plan, StreamPlan};

/// Who tells of faults: the stream's number, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teller<'p> {
    pub(super) plan: &'p Plan,
    pub(super) number: u16,
    pub(super) stream: &'p StreamPlan,
    pub(super) ledger: &'p Ledger,
    pub(super) route: Route,
}

impl Teller<'_> {
    /// Writes entries into the arena; their records, and who they are, in the order of the deeds.
    pub(super) fn write(
        &self,
        deeds: &[Deed],
        shapes: &[Shape],
        arena: &mut Vec<u8>,
    ) -> Result<Vec<(Record, Who)>, Error> {
        if deeds.is_empty() {
            return Ok(Vec::new());
        }
        let unwritable = |source: apache_avro::Error| Error::Ledger(Box::new(source));
        let writer =
            GenericDatumWriter::builder(&self.stream.schema).build().map_err(unwritable)?;
        let mut written = Vec::with_capacity(deeds.len());
        for deed in deeds {
            let Who { number, child } = deed.who;
            let number = self.ledger.number(deed.stream, number, child);
            let who = Who { number, child };
            let value = self.value(deed, who, shapes[usize::from(deed.stream)]);
            let datum = writer.write_value_to_vec(value).map_err(unwritable)?;
            let key = self.plan.faults.list[deed.fault].name.as_bytes();
            let start = arena.len();
            arena.extend_from_slice(key);
            let framing = self.route.ids.value.map(framing);
            arena.extend(framing.iter().flatten());
            arena.extend_from_slice(&datum);
            let value_bytes = arena.len() - start - key.len();
            let partition = self.route.partitions.map(|all| self.route.hash.partition(key, all));
            let record = Record {
                due_us: deed.shows_us,
                start: super::word(start)?,
                header_bytes: 0,
                key_bytes: super::word(key.len())?,
                value_bytes: super::word(value_bytes)?,
                partition: partition.unwrap_or(-1),
                stream: self.number,
                keyed: true,
                tombstone: false,
            };
            written.push((record, who));
        }
        Ok(written)
    }

    fn value(&self, deed: &Deed, who: Who, shape: Shape) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        let uuid = |stream: u16, who: Who| {
            let [stream, _] = stream.to_le_bytes();
            let uuid = self.ledger.uuid(stream, who.number, who.child);
            Value::Uuid(uuid::Uuid::from_u128(uuid))
        };
        let key = |key: &Option<Vec<u8>>| {
            let text = |key: &Vec<u8>| String::from_utf8_lossy(shape.key_text(key)).into_owned();
            optional(key.as_ref().map(|key| Value::String(text(key))))
        };
        let int = |value: u32| Value::Int(i32::try_from(value).unwrap_or(i32::MAX));
        let stream = &self.plan.streams[usize::from(deed.stream)];
        let partition = Some(deed.partition).filter(|partition| *partition >= 0);
        let fields = [
            ("event_id", uuid(self.number, who)),
            ("event_time", Value::TimestampMicros(deed.shows_us)),
            ("fault", text(&self.plan.faults.list[deed.fault].name)),
            ("kind", text(deed.kind)),
            ("stream", text(&stream.name)),
            ("topic", text(&stream.topic.name)),
            ("of_id", uuid(deed.stream, deed.who)),
            ("due", Value::TimestampMicros(deed.due_us)),
            ("sent", Value::Boolean(deed.sent)),
            ("delay_us", Value::Long(deed.shows_us - deed.due_us)),
            ("key", key(&deed.key)),
            ("new_key", key(&deed.new_key)),
            ("partition", optional(partition.map(Value::Int))),
            ("offsets", Value::Array(deed.offsets.iter().map(|at| int(*at)).collect())),
            ("value_bytes", optional(deed.value_bytes.map(int))),
            ("schema_id", optional(deed.schema_id.map(|id| Value::Long(id.into())))),
            ("overtaken_by", optional(deed.overtaken_by.map(|who| uuid(deed.stream, who)))),
        ];
        Value::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

fn optional(value: Option<Value>) -> Value {
    match value {
        Some(value) => Value::Union(1, Box::new(value)),
        None => Value::Union(0, Box::new(Value::Null)),
    }
}
