//! Distributions without steps: their tables, which streams with the same value share.

use std::sync::Arc;

use super::Asked;
use crate::config::model::MixturePart;
use crate::plan::compile::Compiler;
use crate::plan::compile::value::Number;
use crate::plan::program::Register;
use crate::plan::quantile::{Quantile, mixture_inverse};

/// All that the tables of a distribution without steps are made from.
#[derive(Debug, PartialEq)]
pub struct Blend {
    parts: Vec<MixturePart>,
    /// `min`, `max` and `round`.
    within: (Option<f64>, Option<f64>, Option<f64>),
    digits: u8,
    /// The table that columns are read from.
    table: Option<usize>,
}

impl Compiler<'_> {
    /// Parts that have no steps, as one distribution.
    pub(super) fn blended(
        &mut self,
        asked: &Asked<'_>,
        parts: &[&MixturePart],
        words: (Register, Option<Register>),
    ) -> Option<Number> {
        let tables = self.blend(asked, parts)?;
        let bounds = tables.iter().map(Quantile::bounds);
        let bounds =
            bounds.fold((i64::MAX, i64::MIN), |all, own| (all.0.min(own.0), all.1.max(own.1)));
        let number = self.bounded(asked, bounds)?;
        Some(self.quantile(number, tables, words))
    }

    /// The tables of a distribution: of one that several streams have, the same.
    fn blend(&mut self, asked: &Asked<'_>, parts: &[&MixturePart]) -> Option<Arc<[Quantile]>> {
        let world = self.source.world;
        let blend = Blend {
            parts: parts.iter().copied().cloned().collect(),
            within: (asked.min, asked.max, asked.round),
            digits: asked.digits,
            table: asked.row.map(|row| row.table),
        };
        if let Some((_, tables)) = world.blends.borrow().iter().find(|(known, _)| *known == blend) {
            return Some(Arc::clone(tables));
        }
        let tables: Arc<[Quantile]> = self.quantiles(asked, parts)?.into();
        world.blends.borrow_mut().push((blend, Arc::clone(&tables)));
        Some(tables)
    }

    pub(super) fn quantiles(
        &mut self,
        asked: &Asked<'_>,
        parts: &[&MixturePart],
    ) -> Option<Vec<Quantile>> {
        let mut tables = Vec::with_capacity(asked.rows());
        for row in 0..asked.rows() {
            let mut curves = Vec::with_capacity(parts.len());
            for part in parts {
                curves.push((part.weight, self.curve(part, asked.row.map(|it| it.table), row)?));
            }
            tables.push(match curves.as_slice() {
                [(_, curve)] => Quantile::new(|p, q| asked.clamp(curve.inverse(p, q))),
                curves => Quantile::new(|p, q| asked.clamp(mixture_inverse(curves, p, q))),
            });
        }
        Some(tables)
    }
}
