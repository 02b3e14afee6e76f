//! From the fields of a stream to its program: each value once, in columns.

mod any;
mod bind;
mod case;
mod conjunct;
mod counter;
mod derive;
mod distribution;
mod expression;
mod frame;
mod gate;
mod generator;
mod headers;
mod hint;
mod list;
mod member;
mod moment;
mod near;
mod number;
mod occasion;
mod overrides;
mod path;
mod pattern;
mod regex;
mod select;
mod text;
mod time;
mod trim;
mod union;
mod uuid;
mod value;
mod visit;
mod walk;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use apache_avro::Schema;

use super::fill::{Fill, Header, Piece, Text};
use super::identity::Cipher;
use super::program::{Counter, Operand, Operation, Program, Register, Target, Wide, input};
use super::world::World;
use crate::config::model::{self, Generator, IdentityPlace};
use crate::config::{Mistake, Span, Spanned};
use crate::generate::philox;
pub use derive::derive;
pub use distribution::Blend;
pub use gate::{Condition, Count, Gate, gate};
pub use overrides::Override;
use value::{Cell, Value};

/// The salt of events that the model itself makes: origin 0, child 0.
const MODEL_EVENT: u32 = 0;
/// Bits of a tick in a position.
const TICK_BITS: u32 = 36;
/// Blocks of implicit picks, one an entity, apart from those of the fields.
const PICK_BLOCKS: u32 = 0x2000_0000;

/// What a stream's fields compile to.
#[derive(Debug)]
pub struct Compiled {
    /// The operations.
    pub program: Program,
    /// What fills the schema.
    pub fill: Fill,
    /// The record's key.
    pub key: Option<Text>,
    /// The record's headers.
    pub headers: Vec<Header>,
    /// The number of the entity that acts, if the stream has one.
    pub actor: Option<usize>,
    /// How many ticks the positions of its events can number.
    pub ticks_max: u64,
    /// What can be run, but is worth a word.
    pub warnings: Vec<Mistake>,
}

impl Compiled {
    /// What is compiled of a stream that a library writes: that it has keys.
    pub fn keyed() -> Self {
        Self {
            program: Program::default(),
            fill: Fill::Record(Vec::new()),
            key: Some(Text::default()),
            headers: Vec::new(),
            actor: None,
            ticks_max: 1 << TICK_BITS,
            warnings: Vec::new(),
        }
    }
}

/// What seals the identities of a model's events: its start is part of who they are, so that two runs
/// that begin at their own times share no identity.
pub fn cipher(seed: u64, start_us: i64) -> Cipher {
    let [low, high] = philox::key(seed, "identity", &start_us.to_string());
    Cipher::new(u64::from(high) << 32 | u64::from(low))
}

/// What a stream is compiled from.
#[derive(Debug)]
pub struct Source<'a> {
    /// Tables and populations.
    pub world: &'a World<'a>,
    /// The stream.
    pub stream: &'a model::Stream,
    /// The schema that values are written by.
    pub schema: &'a Schema,
    /// The start of model time, in microseconds since the Unix epoch.
    pub start_us: i64,
    /// The stream itself, and those that it follows, up to the root.
    pub levels: Vec<Level<'a>>,
    /// What phases of scenarios say of streams.
    pub overrides: &'a [Override<'a>],
}

/// A stream on the way from a root to the one that is compiled.
#[derive(Clone, Copy, Debug)]
pub struct Level<'a> {
    /// The stream.
    pub stream: &'a model::Stream,
    /// Its number in the model.
    pub number: u8,
    /// The most events that follow from one root event.
    pub children: u32,
}

/// Compiles a stream.
pub fn compile(source: &Source<'_>) -> Result<Compiled, Vec<Mistake>> {
    let mut compiler = Compiler::new(source);
    let fill = compiler.bind();
    let key = compiler.key();
    for field in &source.stream.lets {
        // What no field uses is checked all the same.
        compiler.named(&field.name.value, &field.name.span);
    }
    compiler.check_phases();
    let headers = compiler.headers();
    compiler.warn_of_strangers();
    match fill {
        Some(fill) if compiler.mistakes.is_empty() => {
            let mut compiled = Compiled {
                program: compiler.program(0),
                fill,
                key,
                headers,
                actor: compiler.actor,
                ticks_max: compiler.ticks_max,
                warnings: compiler.warnings,
            };
            trim::trim(&mut compiled);
            Ok(compiled)
        }
        _ => {
            let mut mistakes = compiler.mistakes;
            mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
            mistakes.dedup();
            Err(mistakes)
        }
    }
}

/// The mistakes in the attributes of the entity whose members a stream tells of.
pub fn attributes(source: &Source<'_>) -> Vec<Mistake> {
    let world = source.world;
    let entity = source.stream.members.as_ref().map(|members| &members.entity().value);
    let Some(entity) = entity.and_then(|name| world.entity(name)) else { return Vec::new() };
    let mut compiler = Compiler::new(source);
    let number = input::NUMBER.high;
    for (place, attribute) in world.kinds[entity].entity.attributes.iter().enumerate() {
        compiler.attribute(entity, number, place, &attribute.generator.span);
    }
    compiler.mistakes
}

/// A value that other values refer to by name.
#[derive(Debug)]
struct Named<'a> {
    generator: &'a Spanned<Generator>,
    /// The first of its random words.
    word: u32,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    Compiling,
    Done(Option<Cell>),
}

/// Whose randomness a generator takes: the key of Philox, and the first three words of its counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Site {
    key: [u32; 2],
    low: Register,
    high: Option<Register>,
    salt: u32,
    index: Option<Register>,
    owner: Owner,
}

/// Whose value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// The event's.
    Event,
    /// The same wherever the event is of one member, favourite or period.
    Occasion,
    /// That of a member, by the column of its number.
    Member { entity: usize, number: Register },
}

#[derive(Debug)]
struct Compiler<'a> {
    source: &'a Source<'a>,
    types: BTreeMap<String, &'a Schema>,
    /// The frames; the first one has the stream's rows.
    frames: Vec<frame::Draft>,
    /// How many columns there are in all frames, the inputs once.
    columns: u16,
    /// How many columns are inputs.
    inputs: u16,
    /// The frame of each column that is no input.
    homes: Vec<usize>,
    /// Who sees which names; the first one is the stream's, then come those of the streams above.
    scopes: Vec<frame::Scope<'a>>,
    /// The scope that is compiled in.
    scope: usize,
    blocks: BTreeMap<(Site, u32), [Register; 4]>,
    /// By entity, number, attribute and the time that it is read at.
    attributes: BTreeMap<(usize, Register, usize, Wide), State>,
    /// Where the values of phases are seen, by bit and level.
    phase_scopes: BTreeMap<(u32, u16), usize>,
    picks: BTreeMap<usize, Cell>,
    /// Where they are first named.
    picked_at: BTreeMap<usize, Span>,
    groups: BTreeMap<(usize, Register), Register>,
    generations: BTreeMap<(usize, Register), Register>,
    /// The walks that are read, by name.
    walks: BTreeMap<String, Arc<super::walk::Walk>>,
    /// What was read from walks, by the column of the value.
    readings: BTreeMap<Register, walk::Reading>,
    /// The time at which members are read: microseconds since the model's start.
    now: Wide,
    cipher: Cipher,
    /// By level.
    identities: BTreeMap<u16, [Register; 4]>,
    /// How many events come before a row's.
    ordinal: Option<Wide>,
    actor: Option<usize>,
    ticks_max: u64,
    mistakes: Vec<Mistake>,
    warnings: Vec<Mistake>,
}

/// The names of fields, whose random words begin at `word`.
fn names<'a>(
    fields: impl IntoIterator<Item = &'a model::Field>,
    word: u32,
) -> BTreeMap<&'a str, Named<'a>> {
    let named = generator::numbered(fields, word).map(|(field, word)| {
        let generator = &field.generator;
        (field.name.value.as_str(), Named { generator, word, state: State::Waiting })
    });
    named.collect()
}

impl<'a> Compiler<'a> {
    fn new(source: &'a Source<'a>) -> Self {
        let scopes = (0..).zip(&source.levels).map(|(level, of)| {
            let names = names(of.stream.lets.iter().chain(&of.stream.fields), 0);
            frame::Scope { above: None, frame: 0, level, site: event_site(source, level), names }
        });
        let scopes: Vec<_> = scopes.collect();
        let levels = u16::try_from(scopes.len()).unwrap_or(u16::MAX);
        // In a stream of members, the member of the row stands for its entity.
        let member = source.stream.members.as_ref().and_then(|members| {
            let entity = source.world.entity(&members.entity().value)?;
            Some((entity, Value::Member { entity, number: input::NUMBER.high }.into()))
        });
        Self {
            source,
            types: bind::types(source.schema),
            frames: vec![frame::Draft::rows()],
            columns: input::count(levels),
            inputs: input::count(levels),
            homes: Vec::new(),
            scopes,
            scope: 0,
            blocks: BTreeMap::new(),
            attributes: BTreeMap::new(),
            phase_scopes: BTreeMap::new(),
            picks: member.into_iter().collect(),
            picked_at: BTreeMap::new(),
            groups: BTreeMap::new(),
            generations: BTreeMap::new(),
            walks: BTreeMap::new(),
            readings: BTreeMap::new(),
            now: input::time(0),
            cipher: cipher(source.world.model.seed, source.start_us),
            identities: BTreeMap::new(),
            ordinal: None,
            actor: None,
            ticks_max: 1 << TICK_BITS,
            mistakes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn refuse<T>(&mut self, span: &Span, what: impl Into<String>, help: &str) -> Option<T> {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.mistakes.push(Mistake { span: span.clone(), what: what.into(), help });
        None
    }

    /// A word about what can be run, once.
    fn warn(&mut self, span: &Span, what: String, help: &str) {
        let warning = Mistake { span: span.clone(), what, help: Some(help.to_owned()) };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn register(&mut self) -> Register {
        self.register_of(self.frame())
    }

    fn register_of(&mut self, frame: usize) -> Register {
        let register = Register(self.columns);
        assert!(self.columns < u16::MAX, "a stream's program has fewer than 65,535 columns");
        self.columns += 1;
        self.homes.push(frame);
        register
    }

    fn wide(&mut self) -> Wide {
        Wide { high: self.register(), low: self.register() }
    }

    fn emit(&mut self, operation: Operation) {
        let frame = self.frame();
        self.frames[frame].operations.push(operation);
    }

    /// A column that holds the same word in every row.
    fn constant(&mut self, value: u32) -> Register {
        let out = self.register();
        let from = Operand::Constant(i64::from(value));
        self.emit(Operation::Move { from, out: Target::Word(out) });
        out
    }

    /// Which stream's values are compiled: 0 is the stream itself, 1 the one that it follows.
    fn level(&self) -> u16 {
        self.scopes[self.scope].level
    }

    /// The level of the root.
    fn root_level(&self) -> u16 {
        u16::try_from(self.source.levels.len() - 1).unwrap_or(u16::MAX)
    }

    /// The stream of a level.
    fn stream_of(&self, level: u16) -> Level<'a> {
        self.source.levels[usize::from(level)]
    }

    /// The randomness of the event itself, or of one that it follows.
    fn event_site(&self) -> Site {
        event_site(self.source, self.level())
    }

    /// The randomness of a member.
    fn member_site(&mut self, entity: usize, number: Register) -> Site {
        let key = self.source.world.kinds[entity].key;
        let (high, owner) = (self.generation(entity, number), Owner::Member { entity, number });
        Site { key, low: number, high, salt: 0, index: None, owner }
    }

    /// The random word of that number.
    fn word(&mut self, site: Site, word: u32) -> Register {
        self.block(site, word / 4)[word as usize % 4]
    }

    fn block(&mut self, site: Site, block: u32) -> [Register; 4] {
        if let Some(words) = self.blocks.get(&(site, block)) {
            return *words;
        }
        let out = [(); 4].map(|()| self.register());
        let Site { key, low, high, salt, index, .. } = site;
        let counter = Counter { low, high, salt, index, block };
        self.emit(Operation::Random { key, counter, out });
        self.blocks.insert((site, block), out);
        out
    }

    /// A let or field of the stream, or a field of a record that is being made.
    fn named(&mut self, name: &str, span: &Span) -> Option<Cell> {
        let scope = self.scope_of(name)?;
        let cell = self.within(scope, |this| this.named_here(name, span))?;
        self.lift(&cell, span)
    }

    /// A name of the scope that is compiled in.
    fn named_here(&mut self, name: &str, span: &Span) -> Option<Cell> {
        let scope = &mut self.scopes[self.scope];
        let site = scope.site;
        let named = scope.names.get_mut(name)?;
        match &named.state {
            State::Done(cell) => return cell.clone(),
            State::Compiling => {
                let what = format!("`{name}` refers to itself, directly or through other values");
                return self.refuse(span, what, "break the circle: draw one of them on its own");
            }
            State::Waiting => named.state = State::Compiling,
        }
        let (generator, word) = (named.generator, named.word);
        // Whoever reads it at another time reads the same: it is the event's.
        let own = input::time(self.level());
        let now = std::mem::replace(&mut self.now, own);
        let cell = self.generate(generator, site, word);
        let cell = self.overridden(name, cell);
        self.now = now;
        if let Some(named) = self.scopes[self.scope].names.get_mut(name) {
            named.state = State::Done(cell.clone());
        }
        cell
    }

    /// The event's identity, as four words.
    fn identity(&mut self) -> [Register; 4] {
        let level = self.level();
        if let Some(words) = self.identities.get(&level) {
            return *words;
        }
        let out = [(); 4].map(|()| self.register());
        let (cipher, child) = (self.cipher.clone(), input::child(level));
        let stream = self.stream_of(level).number;
        self.emit(Operation::Identity { child, cipher, stream, out });
        self.identities.insert(level, out);
        out
    }

    /// The record's key, if the stream has one; mistakes are noted.
    fn key(&mut self) -> Option<Text> {
        let stream = self.source.stream;
        if stream.key.is_none() && stream.identity == IdentityPlace::Key {
            return Some(Text(vec![Piece::Uuid(self.identity())]));
        }
        let key = stream.key.as_ref()?;
        if self.scope_of(&key.value).is_none() {
            let what = format!("the key `{}` is neither a field nor a let", key.value);
            return self.refuse(&key.span, what, "name a field of the stream");
        }
        let cell = self.named(&key.value, &key.span)?;
        if cell.present.is_some() {
            let what =
                format!("the key `{}` can be null, so that its order would be lost", key.value);
            return self.refuse(&key.span, what, "use a let that always has a value");
        }
        self.text_of(&cell, None, &key.span)
    }
}

/// The randomness of the events of a level's stream.
fn event_site(source: &Source<'_>, level: u16) -> Site {
    let Wide { high, low } = input::NUMBER;
    let key = stream_key(source.world, source.levels[usize::from(level)].stream);
    let follows = usize::from(level) + 1 < source.levels.len();
    let index = follows.then_some(input::child(level));
    Site { key, low, high: Some(high), salt: MODEL_EVENT, index, owner: Owner::Event }
}

/// The key of a stream's own randomness.
pub fn stream_key(world: &World<'_>, stream: &model::Stream) -> [u32; 2] {
    philox::key(world.model.seed, "stream", &stream.name)
}
