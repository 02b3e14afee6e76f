//! A text in JSON by its path, without reading the rest.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// The text at a path of names; none where there is no such text. What follows it is not read.
pub(super) fn text(json: &[u8], path: &[String]) -> Option<Vec<u8>> {
    let mut found = None;
    let seed = Seed { path, found: &mut found };
    // Reading stops where the text is found, which is an error to the library.
    drop(seed.deserialize(&mut serde_json::Deserializer::from_slice(json)));
    found
}

/// Reads what lies on the way.
struct Seed<'a> {
    path: &'a [String],
    found: &'a mut Option<Vec<u8>>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text at the path")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.path.is_empty() {
            *self.found = Some(text.as_bytes().to_vec());
        }
        Err(E::custom("found"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((name, below)) = self.path.split_first() else {
            return Err(A::Error::custom("no text"));
        };
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            if key == name.as_str() {
                return map.next_value_seed(Seed { path: below, found: self.found });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_by_its_path() {
        let json = br#"{"a":{"b":[1,{"c":"no"}],"c":"y\u0065s"},"c":5,"d":"last"} trailing"#;
        let find = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            text(json, &path).map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(find(&["a", "c"]).as_deref(), Some("yes"));
        assert_eq!(find(&["d"]).as_deref(), Some("last"));
        for path in [&["c"][..], &["a"], &["a", "b"], &["x"], &["d", "e"], &[]] {
            assert_eq!(find(path), None, "{path:?}");
        }
        assert_eq!(text(b"\xff{", &["a".to_owned()]), None);
    }
}
