//! Schemas that nobody gave: worked out from the values that fill them.

use serde_json::{Value as Json, json};

use super::value::{Cell, Number, Value};
use super::{Compiler, Source};
use crate::config::Mistake;

/// The Avro schema of a stream's fields, in their order: text as `string`, whole numbers as `long`,
/// decimals as `double`, times as `timestamp-micros`, rows of tables as records.
pub fn derive(source: &Source<'_>) -> Result<String, Vec<Mistake>> {
    let mut compiler = Compiler::new(source);
    let mut fields = Vec::new();
    for field in &source.stream.fields {
        let name = &field.name.value;
        let Some(cell) = compiler.named(name, &field.name.span) else { continue };
        fields.extend(compiler.derived(source, name, &cell));
    }
    if !compiler.mistakes.is_empty() {
        return Err(compiler.mistakes);
    }
    let name = record_name(&[&source.stream.name]);
    Ok(json!({ "type": "record", "name": name, "fields": fields }).to_string())
}

impl Compiler<'_> {
    fn derived(&mut self, source: &Source<'_>, name: &str, cell: &Cell) -> Option<Json> {
        let schema = match cell.value.whole() {
            Value::Null => json!("null"),
            Value::Number(Number { scale: 0, .. }) => json!("long"),
            Value::Number(_) => json!("double"),
            Value::Boolean(_) => json!("boolean"),
            Value::Time { .. } | Value::Instant(_) => {
                json!({ "type": "long", "logicalType": "timestamp-micros" })
            }
            Value::Row { table, .. } => {
                let table = &source.world.model.tables[*table];
                let mut fields = Vec::new();
                for column in &table.columns {
                    if apache_avro::schema::Name::new(&column.name).is_err() {
                        let what = format!(
                            "column `{}` of table `{}` cannot be the name of a field",
                            column.name, table.name
                        );
                        let help = "rename it, or give the changelog a schema and fields";
                        return self.refuse(&source.stream.span, what, help);
                    }
                    fields.push(json!({ "name": column.name, "type": type_of(&column.cells) }));
                }
                let name = record_name(&[&source.stream.name, name]);
                json!({ "type": "record", "name": name, "fields": fields })
            }
            Value::Dictionary { .. }
            | Value::Literal(_)
            | Value::Text(_)
            | Value::Uuid(_)
            | Value::Parts(_)
            | Value::Member { .. } => json!("string"),
            Value::Bytes { .. } => json!("bytes"),
            Value::Record(_)
            | Value::List(_)
            | Value::Any { .. }
            | Value::Occasion(_)
            | Value::Options { .. }
            | Value::Real { .. } => {
                let what = format!("`{name}` is {}, which needs a schema", cell.value.kind());
                return self.refuse(
                    &source.stream.span,
                    what,
                    "give the changelog a schema: schema = \"….avsc\"",
                );
            }
        };
        Some(match cell.present {
            Some(_) => json!({ "name": name, "type": ["null", schema], "default": null }),
            None => json!({ "name": name, "type": schema }),
        })
    }
}

/// The type of a column: a number if every cell is written as a number is.
fn type_of(cells: &[String]) -> &'static str {
    let all = |number: fn(&str) -> bool| cells.iter().all(|cell| number(cell));
    if all(|cell| cell.parse::<i64>().is_ok_and(|number| number.to_string() == cell)) {
        "long"
    } else if all(is_decimal) {
        "double"
    } else {
        "string"
    }
}

/// Digits with at most one point, no zeros in front that a number has not.
fn is_decimal(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, after) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain(whole) && plain(after) && after.len() <= 9 && (whole == "0" || !whole.starts_with('0'))
}

/// `merchant` and `site` as `MerchantSite`.
fn record_name(names: &[&str]) -> String {
    let words = names.iter().flat_map(|name| name.split(['_', '.']));
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    words.map(capital).collect()
}
