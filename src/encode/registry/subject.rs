//! How subjects are named.

use super::Error;

/// The rule by which a schema's subject is named; the names are Confluent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// `<topic>-value` and `<topic>-key`.
    #[default]
    TopicName,
    /// The record's full name.
    RecordName,
    /// `<topic>-<the record's full name>`.
    TopicRecordName,
}

/// Which half of a broker's record a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// All that a subject's name may be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The full name (namespace and name) of the schema's record, enum or fixed; other types have
    /// none.
    pub record: Option<&'a str>,
    /// Key or value.
    pub part: Part,
}

impl Subject<'_> {
    /// The subject's name.
    ///
    /// # Errors
    ///
    /// The strategy needs the record's name, and the schema has none.
    pub fn name(&self, strategy: Strategy) -> Result<String, Error> {
        let topic = self.topic;
        let record = || self.record.ok_or_else(|| Error::NoRecordName { topic: topic.to_owned() });
        Ok(match (strategy, self.part) {
            (Strategy::TopicName, Part::Key) => format!("{topic}-key"),
            (Strategy::TopicName, Part::Value) => format!("{topic}-value"),
            (Strategy::RecordName, _) => record()?.to_owned(),
            (Strategy::TopicRecordName, _) => format!("{topic}-{}", record()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_as_confluent_names_them() {
        let value = Subject { topic: "t", record: Some("a.b.C"), part: Part::Value };
        let key = Subject { part: Part::Key, ..value };
        let named = |subject: Subject<'_>, strategy| subject.name(strategy).unwrap();
        assert_eq!(named(value, Strategy::TopicName), "t-value");
        assert_eq!(named(key, Strategy::TopicName), "t-key");
        assert_eq!(named(value, Strategy::RecordName), "a.b.C");
        assert_eq!(named(key, Strategy::TopicRecordName), "t-a.b.C");
    }

    #[test]
    fn a_schema_without_a_name_cannot_be_named_by_its_record() {
        let key = Subject { topic: "payments", record: None, part: Part::Key };
        assert_eq!(key.name(Strategy::TopicName).unwrap(), "payments-key");
        let error = key.name(Strategy::RecordName).unwrap_err();
        assert!(error.to_string().contains("payments"), "{error}");
    }
}
