//! Addresses of machines, and digits that say nothing.

use std::sync::Arc;

use super::{literal, number_piece, text, word_of};
use crate::config::Span;
use crate::config::model::Network;
use crate::plan::compile::value::{Number, Value};
use crate::plan::compile::{Compiler, Site};
use crate::plan::fill::Piece;
use crate::plan::program::{Arithmetic, Operand, Operation, Target};

/// Hexadecimal digits that one word gives.
pub(super) const DIGITS_A_WORD: u32 = 5;

impl Compiler<'_> {
    pub(super) fn hash(&mut self, digits: u32, site: Site, word: u32) -> Value {
        let alphabet: Arc<[char]> = "0123456789abcdef".chars().collect();
        let mut pieces = Vec::new();
        let mut left = digits;
        for word in word..word + digits.div_ceil(DIGITS_A_WORD) {
            let taken = left.min(DIGITS_A_WORD);
            left -= taken;
            let count = taken.to_le_bytes()[0];
            let word = self.word(site, word);
            pieces.push(Piece::Characters { word, alphabet: Arc::clone(&alphabet), count });
        }
        text(pieces)
    }

    /// 122 random bits, with the version 4 and the variant of RFC 9562.
    pub(super) fn random_uuid(&mut self, site: Site, word: u32, span: &Span) -> Option<Value> {
        let [first, last] = [self.word(site, word), self.word(site, word + 3)];
        let drawn = self.below(1 << 28, site, word + 1);
        // The lower 12 bits stay where they are, and the version stands between them and the rest.
        let upper =
            self.arithmetic(Arithmetic::FloorTo, [drawn, Number::constant(1 << 12, 0)], 0, span)?;
        let upper =
            self.arithmetic(Arithmetic::Multiply, [upper, Number::constant(15, 0)], 0, span)?;
        let moved = self.arithmetic(Arithmetic::Add, [upper, drawn], 0, span)?;
        let second = self.register();
        self.emit(Operation::Arithmetic {
            function: Arithmetic::Add,
            left: moved.operand,
            right: Operand::Constant(4 << 12),
            out: Target::Word(second),
        });
        let (word, third) = (self.word(site, word + 2), self.register());
        let out = Target::Word(third);
        self.emit(Operation::Range { word, size: 1 << 30, base: 1 << 31, out });
        Some(Value::Uuid([first, second, third, last]))
    }

    pub(super) fn ipv4(&mut self, network: Network, site: Site, word: u32) -> Value {
        let blocks: Vec<String> = match network {
            Network::Documentation => {
                ["192.0.2", "198.51.100", "203.0.113"].map(str::to_owned).to_vec()
            }
            Network::Private => {
                let ten = (0..256).map(|second| format!("10.{second}"));
                let others = (16..32).map(|second| format!("172.{second}"));
                ten.chain(others).chain(["192.168".to_owned()]).collect()
            }
            Network::Benchmark => ["198.18", "198.19"].map(str::to_owned).to_vec(),
            Network::Shared => (64..128).map(|second| format!("100.{second}")).collect(),
            Network::Reserved => (240..255)
                .flat_map(|first| (0..256).map(move |second| format!("{first}.{second}")))
                .collect(),
        };
        let index = self.one_of(&vec![1.0; blocks.len()], site, word);
        let values = blocks.into_iter().map(|block| format!("{block}.")).collect();
        let mut pieces = vec![Piece::Lookup { index, values, width: None }];
        if network != Network::Documentation {
            let third = self.below(256, site, word + 1);
            pieces.extend([number_piece(third.integer(), 1), literal(".")]);
        }
        // Neither the network's own address nor that of all its machines.
        let machine = self.below(254, site, word + 2);
        let machine = self.one_more(machine);
        pieces.push(number_piece(machine.integer(), 1));
        text(pieces)
    }

    /// Each group is above 0, so that the text is the only one of its address (RFC 5952).
    pub(super) fn ipv6(&mut self, site: Site, word: u32) -> Value {
        let mut pieces = vec![literal("2001:db8")];
        for word in word..word + 6 {
            let group = self.below(0xffff, site, word);
            let value = self.one_more(group).integer();
            pieces.push(literal(":"));
            pieces.push(Piece::Number { value, base: 16, width: 1, upper: false });
        }
        text(pieces)
    }

    /// The first byte has the bit of locally administered addresses, and not that of groups.
    pub(super) fn mac(&mut self, site: Site, word: u32) -> Value {
        let first = self.below(64, site, word);
        let bytes = (0..64).map(|upper: u32| format!("{:02x}", upper * 4 + 2)).collect();
        let index = word_of(first);
        let mut pieces = vec![Piece::Lookup { index, values: bytes, width: None }];
        for word in word + 1..word + 6 {
            let value = self.below(256, site, word).integer();
            pieces.push(literal(":"));
            pieces.push(Piece::Number { value, base: 16, width: 2, upper: false });
        }
        text(pieces)
    }

    /// A number that counts from 1.
    pub(super) fn one_more(&mut self, number: Number) -> Number {
        let (min, max) = (number.min + 1, number.max + 1);
        let (out, operand) = self.target(min, max);
        let (function, right) = (Arithmetic::Add, Operand::Constant(1));
        self.emit(Operation::Arithmetic { function, left: number.operand, right, out });
        Number { operand, min, max, scale: 0 }
    }
}
