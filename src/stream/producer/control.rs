//! The records of the control stream: few, so that a library writes them.

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;

use super::output::{Output, Shape};
use crate::encode::row::Lengths;
use crate::encode::wire::framing;
use crate::plan::control::Control;
use crate::stream::Error;
use crate::stream::rows::{Row, low};

/// Writes rows of the control stream.
pub(super) fn write(
    control: &Control,
    (schema, schema_id): (&Schema, Option<u32>),
    (shape, rows): (&Shape<'_>, &[Row]),
    output: &mut Output,
) -> Result<(), Error> {
    let writer = GenericDatumWriter::builder(schema).build().map_err(unwritable)?;
    for row in rows {
        let Some(value) = control.value(row.time_us, row.number) else { continue };
        let datum = writer.write_value_to_vec(value).map_err(unwritable)?;
        let start = output.arena.len();
        let key = control.key(row.number).as_bytes();
        output.arena.extend_from_slice(key);
        let framing = schema_id.map(framing);
        output.arena.extend(framing.iter().flatten());
        output.arena.extend_from_slice(&datum);
        let value = output.arena.len() - start - key.len();
        let lengths = Lengths { headers: 0, key: low(key.len() as u64), value: low(value as u64) };
        output.note(shape, std::slice::from_ref(row), start, &[lengths]);
    }
    Ok(())
}

fn unwritable(source: apache_avro::Error) -> Error {
    Error::Control(Box::new(source))
}
