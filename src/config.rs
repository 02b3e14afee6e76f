//! Configuration: what the user wrote becomes what we run.
//!
//! A model file is read as a tree of values that know their place ([`raw`]), flags and variables
//! are put in ([`overrides`]), and the tree is resolved into the types of [`model`] and
//! [`settings`], which cannot hold a bad value. Every refusal is a [`Mistake`]; all mistakes are
//! reported at once ([`Refused`]).

mod bare;
mod expression;
pub mod filter;
mod generators;
mod hint;
mod input;
mod integer;
mod json;
pub mod library;
pub mod model;
pub mod overrides;
pub mod raw;
mod reader;
mod refused;
mod resolve;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod source;
pub mod suggest;
pub mod units;
pub mod words;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

pub use self::generators::names as generator_names;
pub(crate) use self::hint::unanchored;
pub use self::input::{ModelSource, Recorded};
pub(crate) use self::integer::integer_bounds;
pub use self::overrides::{Override, Overrides};
pub use self::refused::{Refused, render, render_warnings};
pub use self::source::Source;

/// Where something stands in the texts of a [`Source`], in bytes.
pub type Span = Range<usize>;

/// A value and its place in the model file.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// Something in the model file that cannot be run, with the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub span: Span,
    /// What is wrong, with the value and the limit; lower case, no full stop.
    pub what: String,
    /// The way out, if there is one to name.
    pub help: Option<String>,
}

/// All that the user asked for, checked.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What decides the bytes.
    pub model: model::Model,
    /// What does not.
    pub settings: settings::Settings,
    /// The texts that both were read from; every [`Span`] counts in them.
    pub source: Source,
    /// What can be run, but is worth a word.
    pub warnings: Vec<Mistake>,
    /// Whether the seed was drawn here, because the file has none or 0.
    pub seed_was_drawn: bool,
}

/// Reads a model with all that it names, and checks everything but what its paths lead to.
///
/// Values of `overrides` stand before those of the file. `environment` answers `{ env = "NAME" }`.
///
/// # Errors
///
/// All mistakes at once.
pub fn read(
    given: &ModelSource,
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Configuration, Refused> {
    let (text, called, files) = given.read()?;
    let mut texts = Source::default();
    let kind = source::PieceKind::Model { built_in: files.are_built_in() };
    let base = texts.add(kind, called, text.clone());
    let mut root = match raw::parse(&text, base) {
        Ok(root) => root,
        Err(mistakes) => {
            texts.mask_unread(&text);
            return Err(Refused::new(texts, mistakes));
        }
    };
    let mistakes = overrides::apply(&mut root, &mut texts, overrides);
    let mut reader =
        reader::Reader { source: texts, mistakes, warnings: Vec::new(), files, environment };
    let (mut model, settings) = resolve::everything(&mut reader, &root, given.name());
    let reader::Reader { source, mistakes, warnings, .. } = reader;
    if !mistakes.is_empty() {
        return Err(Refused::new(source, mistakes));
    }
    let seed_was_drawn = model.seed == 0;
    if seed_was_drawn {
        model.seed = given.seed().unwrap_or_else(drawn_seed);
        // The same run again names the seed that was drawn, and is of the same model.
        overrides::put_seed(&mut root, model.seed);
    }
    model.hash = source.hash(&root, &NOT_OF_THE_MODEL);
    Ok(Configuration { model, settings, source, warnings, seed_was_drawn })
}

/// Reads settings alone, for commands without a model: of a broker's client, a registry and a run. Variables
/// about anything else are left out.
///
/// # Errors
///
/// All mistakes at once.
pub fn read_settings(
    overrides: &Overrides,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Configuration, Refused> {
    let mut texts = Source::default();
    let base = texts.add(
        source::PieceKind::Model { built_in: false },
        "settings".to_owned(),
        String::new(),
    );
    let mut root =
        raw::parse("", base).map_err(|mistakes| Refused::new(texts.clone(), mistakes))?;
    let mistakes = overrides::apply(&mut root, &mut texts, &overrides.of(&SETTINGS));
    let files = ModelSource::Text {
        name: "settings".to_owned(),
        directory: std::path::PathBuf::new(),
        text: String::new(),
    };
    let files = files.read()?.2;
    let mut reader =
        reader::Reader { source: texts, mistakes, warnings: Vec::new(), files, environment };
    let (model, settings) = resolve::settings_alone(&mut reader, &root);
    let reader::Reader { source, mistakes, warnings, .. } = reader;
    if !mistakes.is_empty() {
        return Err(Refused::new(source, mistakes));
    }
    Ok(Configuration { model, settings, source, warnings, seed_was_drawn: false })
}

/// Keys of settings.
const SETTINGS: [&str; 3] = ["run", "sink", "registry"];

/// Keys that decide no event, and the start, which may be the time of day.
const NOT_OF_THE_MODEL: [&str; 4] = ["run", "sink", "registry", "start"];

/// A seed that differs from run to run; small enough for any format, never 0.
fn drawn_seed() -> u64 {
    // The standard library's own keys are random; nothing else here needs a random source.
    (RandomState::new().build_hasher().finish() >> 16) | 1
}
