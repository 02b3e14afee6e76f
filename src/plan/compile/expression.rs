//! Expressions: arithmetic in whole numbers and fixed-point decimals, conditions, choices.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::value::{Cell, Number, Value, power_of_ten};
use super::{Compiler, Site};
use crate::config::model::{Expression, ExpressionKind, Operator};
use crate::config::{Span, Spanned};
use crate::plan::program::{Arithmetic, Comparison, Logic, Operand, Operation, Register};

const FUNCTIONS: &str = "min, max, abs, round, round_to, floor_to, ratio";

impl Compiler<'_> {
    /// Compiles an expression; null wherever a value in it is, except that a comparison is false.
    pub(super) fn expression(&mut self, expression: &Expression, site: Site) -> Option<Cell> {
        let span = &expression.span;
        match &expression.kind {
            ExpressionKind::Number { digits, scale } => {
                Some(Value::Number(Number::constant(*digits, *scale)).into())
            }
            ExpressionKind::Text(text) => Some(Value::Literal(text.clone()).into()),
            ExpressionKind::Boolean(value) => {
                Some(Value::Boolean(self.constant(u32::from(*value))).into())
            }
            ExpressionKind::Path(path) => {
                let path = Spanned { value: path.clone(), span: span.clone() };
                self.path(&path, site).map(Cell::whole)
            }
            ExpressionKind::Not(inner) => {
                let cell = self.expression(inner, site)?;
                let word = self.condition(&cell, &inner.span)?;
                Some(Value::Boolean(self.not(word)).into())
            }
            ExpressionKind::Negate(inner) => {
                let cell = self.expression(inner, site)?;
                let number = self.number(&cell, &inner.span)?;
                let zero = Number::constant(0, number.scale);
                let value =
                    self.arithmetic(Arithmetic::Subtract, [zero, number], number.scale, span)?;
                Some(Cell { value: Value::Number(value), present: cell.present })
            }
            ExpressionKind::Binary { operator, left, right } => {
                self.binary(*operator, [left, right], site, span)
            }
            ExpressionKind::In { value, list } => {
                let cell = self.expression(value, site)?;
                let mut found = None;
                for item in list {
                    let other = self.expression(item, site)?;
                    let equal = self.equal(&cell, &other, &item.span)?;
                    found = Some(match found {
                        Some(found) => self.logic(Logic::Or, found, equal),
                        None => equal,
                    });
                }
                let found = found.unwrap_or_else(|| self.constant(0));
                Some(Value::Boolean(found).into())
            }
            ExpressionKind::If { condition, then, otherwise } => {
                let cell = self.expression(condition, site)?;
                let condition = self.condition(&cell, &condition.span)?;
                let then = self.expression(then, site)?;
                let otherwise = self.expression(otherwise, site)?;
                self.select(condition, &then, &otherwise, span)
            }
            ExpressionKind::Call { function, arguments } => {
                self.call(function, arguments, site, span)
            }
        }
    }

    fn binary(
        &mut self,
        operator: Operator,
        [left, right]: [&Expression; 2],
        site: Site,
        span: &Span,
    ) -> Option<Cell> {
        let a = self.expression(left, site)?;
        let b = self.expression(right, site)?;
        if let Operator::And | Operator::Or = operator {
            let a = self.condition(&a, &left.span)?;
            let b = self.condition(&b, &right.span)?;
            let logic = if operator == Operator::And { Logic::And } else { Logic::Or };
            return Some(Value::Boolean(self.logic(logic, a, b)).into());
        }
        let present = self.both(a.present, b.present);
        let compared = match operator {
            Operator::Equal => Some(self.equal(&a, &b, span)?),
            Operator::NotEqual => {
                let equal = self.equal(&a, &b, span)?;
                let different = self.not(equal);
                Some(self.both(Some(different), present).unwrap_or(different))
            }
            Operator::Less => Some(self.order(Comparison::Less, [&a, &b], span)?),
            Operator::LessOrEqual => Some(self.order(Comparison::LessOrEqual, [&a, &b], span)?),
            Operator::Greater => Some(self.order(Comparison::Less, [&b, &a], span)?),
            Operator::GreaterOrEqual => {
                Some(self.order(Comparison::LessOrEqual, [&b, &a], span)?)
            }
            _ => None,
        };
        if let Some(compared) = compared {
            return Some(Value::Boolean(compared).into());
        }
        // What lies between two times is none.
        let is_time = match operator {
            Operator::Add => a.value.is_time() || b.value.is_time(),
            Operator::Subtract => a.value.is_time() && !b.value.is_time(),
            _ => false,
        };
        let pair = [self.number(&a, &left.span)?, self.number(&b, &right.span)?];
        let number = match operator {
            Operator::Multiply => {
                self.arithmetic(Arithmetic::Multiply, pair, pair[0].scale + pair[1].scale, span)?
            }
            Operator::Divide => {
                let numerator = self.raise(pair[0], pair[1].scale, span)?;
                self.divide(numerator, pair[1], pair[0].scale, span)?
            }
            _ => {
                let pair = self.align(pair, span)?;
                let function =
                    if operator == Operator::Add { Arithmetic::Add } else { Arithmetic::Subtract };
                self.arithmetic(function, pair, pair[0].scale, span)?
            }
        };
        let value = if is_time { Value::Instant(number) } else { Value::Number(number) };
        Some(Cell { value, present })
    }

    /// A number times a power of ten.
    fn raise(&mut self, number: Number, power: u8, span: &Span) -> Option<Number> {
        self.rescale(number, number.scale + power, span)
    }

    fn divide(&mut self, a: Number, b: Number, scale: u8, span: &Span) -> Option<Number> {
        if b.min <= 0 && b.max >= 0 {
            return self.refuse(span, "the divisor can be 0", "bound it with max(…, 1)");
        }
        self.arithmetic(Arithmetic::Divide, [a, b], scale, span)
    }

    /// 1 where both are there and the same.
    fn equal(&mut self, a: &Cell, b: &Cell, span: &Span) -> Option<Register> {
        let same = match (&a.value, &b.value) {
            (Value::Boolean(a), Value::Boolean(b)) => self.same_words(*a, *b),
            (Value::Row { table: t, index: a }, Value::Row { table: u, index: b }) if t == u => {
                self.same_words(*a, *b)
            }
            (Value::Member { entity: t, number: a }, Value::Member { entity: u, number: b })
                if t == u =>
            {
                self.same_member(*t, *a, *b)
            }
            (Value::Member { entity: t, .. }, Value::Member { entity: u, .. }) => {
                let kinds = &self.source.world.kinds;
                let (t, u) = (&kinds[*t].entity.name, &kinds[*u].entity.name);
                let what = format!("no `{t}` is a `{u}`");
                return self.refuse(span, what, "compare members of one entity");
            }
            (Value::Dictionary { index, cells }, Value::Literal(text))
            | (Value::Literal(text), Value::Dictionary { index, cells }) => {
                if !cells.contains(text) {
                    let what = format!("`{text}` is none of the values that this is compared with");
                    return self.refuse(span, what, &super::path::nearest(text, cells));
                }
                let is: Vec<_> = cells.iter().map(|cell| i64::from(cell == text)).collect();
                self.truth(*index, &is)?
            }
            (Value::Text(_), Value::Literal(_) | Value::Dictionary { .. } | Value::Text(_))
            | (Value::Literal(_) | Value::Dictionary { .. }, Value::Text(_)) => {
                let what = "text that is put together cannot be compared";
                let help = "compare texts that are all known: a choice, a column, a constant";
                return self.refuse(span, what, help);
            }
            (Value::Literal(a), Value::Literal(b)) => self.constant(u32::from(a == b)),
            (
                Value::Dictionary { index: a, cells: first },
                Value::Dictionary { index: b, cells: second },
            ) => {
                let [a, b] = self.canonical([(*a, first), (*b, second)]);
                self.compare(Comparison::Equal, a, b)
            }
            _ => return self.order(Comparison::Equal, [a, b], span),
        };
        let present = self.both(a.present, b.present);
        self.both(Some(same), present)
    }

    pub(super) fn same_words(&mut self, a: Register, b: Register) -> Register {
        self.compare(Comparison::Equal, Operand::Unsigned(a), Operand::Unsigned(b))
    }

    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        left: Operand,
        right: Operand,
    ) -> Register {
        let out = self.register();
        self.emit(Operation::Compare { comparison, left, right, out });
        out
    }

    fn truth(&mut self, index: Register, values: &[i64]) -> Option<Register> {
        match self.lookup(index, values, 0).operand {
            Operand::Unsigned(register) => Some(register),
            _ => None,
        }
    }

    /// Two dictionaries' indices as numbers that are the same where the texts are.
    fn canonical(&mut self, pair: [(Register, &Arc<[String]>); 2]) -> [Operand; 2] {
        let mut known: BTreeMap<&str, i64> = BTreeMap::new();
        pair.map(|(index, cells)| {
            let values: Vec<_> = cells
                .iter()
                .map(|cell| {
                    let next = i64::try_from(known.len()).unwrap_or(i64::MAX);
                    *known.entry(cell).or_insert(next)
                })
                .collect();
            self.lookup(index, &values, 0).operand
        })
    }

    /// 1 where both numbers are there and the comparison holds.
    fn order(
        &mut self,
        comparison: Comparison,
        [a, b]: [&Cell; 2],
        span: &Span,
    ) -> Option<Register> {
        let pair = [self.number(a, span)?, self.number(b, span)?];
        let [left, right] = self.align(pair, span)?;
        let holds = self.compare(comparison, left.operand, right.operand);
        let present = self.both(a.present, b.present);
        self.both(Some(holds), present)
    }

    fn call(
        &mut self,
        function: &str,
        arguments: &[Expression],
        site: Site,
        span: &Span,
    ) -> Option<Cell> {
        let mut values = Vec::with_capacity(arguments.len());
        let mut present = None;
        let mut is_time = false;
        for argument in arguments {
            let cell = self.expression(argument, site)?;
            // What a ratio compares has no unit.
            is_time |= cell.value.is_time() && function != "ratio";
            values.push(self.number(&cell, &argument.span)?);
            present = self.both(present, cell.present);
        }
        let number = self.apply(function, &values, span)?;
        let value = if is_time { Value::Instant(number) } else { Value::Number(number) };
        Some(Cell { value, present })
    }

    fn apply(&mut self, function: &str, arguments: &[Number], span: &Span) -> Option<Number> {
        match (function, arguments) {
            ("min" | "max", [a, b]) => {
                let pair = self.align([*a, *b], span)?;
                let function =
                    if function == "min" { Arithmetic::Minimum } else { Arithmetic::Maximum };
                self.arithmetic(function, pair, pair[0].scale, span)
            }
            ("abs", [a]) => {
                let zero = Number::constant(0, a.scale);
                let negated = self.arithmetic(Arithmetic::Subtract, [zero, *a], a.scale, span)?;
                let number = self.arithmetic(Arithmetic::Maximum, [*a, negated], a.scale, span)?;
                Some(Number { min: number.min.max(0), ..number })
            }
            ("round", [a]) => self.round(*a, 0, span),
            ("round", [a, digits]) => {
                let digits = self.digits(digits, span)?;
                self.round(*a, digits, span)
            }
            ("round_to" | "floor_to", [a, step]) => {
                let [a, step] = self.align([*a, *step], span)?;
                if function == "floor_to" {
                    return self.arithmetic(Arithmetic::FloorTo, [a, step], a.scale, span);
                }
                let steps = self.divide(a, step, 0, span)?;
                self.arithmetic(Arithmetic::Multiply, [steps, step], a.scale, span)
            }
            ("ratio", [a, b, digits]) => {
                let digits = self.digits(digits, span)?;
                let (up, down) = (digits + b.scale, a.scale);
                let a = self.raise(*a, up.saturating_sub(down), span)?;
                let b = self.raise(*b, down.saturating_sub(up), span)?;
                self.divide(a, b, digits, span)
            }
            _ => {
                let what =
                    format!("there is no function `{function}` of {} values", arguments.len());
                self.refuse(span, what, &format!("known: {FUNCTIONS}"))
            }
        }
    }

    fn round(&mut self, number: Number, digits: u8, span: &Span) -> Option<Number> {
        if number.scale <= digits {
            return self.rescale(number, digits, span);
        }
        let factor = Number::constant(power_of_ten(number.scale - digits), 0);
        self.divide(number, factor, digits, span)
    }

    fn digits(&mut self, number: &Number, span: &Span) -> Option<u8> {
        match number.operand {
            Operand::Constant(digits @ 0..=9) => u8::try_from(digits).ok(),
            _ => self.refuse(span, "the count of digits is a number from 0 to 9", ""),
        }
    }
}
