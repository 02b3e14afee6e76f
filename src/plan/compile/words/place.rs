//! Places near a place.

use super::{text, with_parts, word_of};
use crate::config::{Span, Spanned};
use crate::plan::compile::value::{Cell, Number, Value};
use crate::plan::compile::{Compiler, Site};
use crate::plan::fill::Piece;
use crate::plan::program::{Arithmetic, Operation};
use crate::plan::quantile::Quantile;

/// Kilometres of a degree of a great circle: the mean earth's 6,371.0088 km · π / 180.
const KM_A_DEGREE: f64 = 111.195_08;
/// Digits after the point of what is made: some 11 cm.
const SCALE: u8 = 6;
const UNIT: f64 = 1_000_000.0;
/// Steps in which the width of a circle is known.
const CHORDS: u32 = 1_024;
/// Steps of latitude in which the width of a degree of longitude is known.
const STEPS_A_DEGREE: i64 = 4;
/// How much the width of a degree of longitude is scaled up.
const STRETCH_UNIT: f64 = 1_024.0;
/// No wider than at this latitude: nearer to the poles the circle is drawn too narrow.
const LATITUDE_MAX: f64 = 85.0;

impl Compiler<'_> {
    /// Latitude and longitude, even inside of a circle.
    pub(super) fn coordinates(
        &mut self,
        near: &Spanned<String>,
        within_km: f64,
        (site, word): (Site, u32),
    ) -> Option<Cell> {
        let span = &near.span;
        let cell = self.path(near, site)?;
        let [latitude, longitude] = self.position(&cell, near)?;
        // On a sphere the diagonal is longer than in the plane by a share of at most angle² / 48.
        let angle = (within_km / KM_A_DEGREE).to_radians();
        let reach = within_km / KM_A_DEGREE * UNIT * (1.0 - angle * angle / 48.0);
        let [north, east] = self.in_circle(reach, site, word, span)?;
        let latitude = self.rescale(latitude, SCALE, span)?;
        let longitude = self.rescale(longitude, SCALE, span)?;
        let middle = latitude;
        let latitude = self.arithmetic(Arithmetic::Add, [latitude, north], SCALE, span)?;
        let latitude = self.on_earth(latitude, 90, span)?;
        let stretches = [self.stretch(middle, span)?, self.stretch(latitude, span)?];
        let stretch = self.arithmetic(Arithmetic::Minimum, stretches, 0, span)?;
        let east = self.arithmetic(Arithmetic::Multiply, [east, stretch], SCALE, span)?;
        #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
        let unit = Number::constant(STRETCH_UNIT as i64, 0);
        let east = self.arithmetic(Arithmetic::Divide, [east, unit], SCALE, span)?;
        let longitude = self.arithmetic(Arithmetic::Add, [longitude, east], SCALE, span)?;
        let longitude = self.wrapped(longitude, span)?;
        let decimal = |number: Number| Piece::Decimal { value: number.integer(), scale: SCALE };
        let pieces = vec![decimal(latitude), Piece::Literal(",".to_owned()), decimal(longitude)];
        let parts =
            vec![("latitude", Value::Number(latitude)), ("longitude", Value::Number(longitude))];
        Some(Cell { value: with_parts(text(pieces), parts), present: cell.present })
    }

    /// The latitude and longitude of a row, or of a value with such parts.
    fn position(&mut self, cell: &Cell, near: &Spanned<String>) -> Option<[Number; 2]> {
        let mut found = Vec::with_capacity(2);
        for (name, limit) in [("latitude", 90), ("longitude", 180)] {
            let value = match &cell.value {
                Value::Row { table, index } => self.column(*table, *index, name, &near.span)?,
                Value::Parts(parts) => self.part(parts, name, &near.span)?,
                other => {
                    let what = format!("a place is needed, but this is {}", other.kind());
                    let help = "name a `city`, or a row with columns `latitude` and `longitude`";
                    return self.refuse(&near.span, what, help);
                }
            };
            let number = self.number(&value.into(), &near.span)?;
            let limit = limit * 10_i64.pow(u32::from(number.scale));
            if number.min < -limit || number.max > limit || number.scale > SCALE {
                let what = format!(
                    "`{}.{name}` is no {name}: degrees with at most {SCALE} digits after the point",
                    near.value
                );
                return self.refuse(&near.span, what, "give degrees, south and west below 0");
            }
            found.push(number);
        }
        found.try_into().ok()
    }

    /// A point of a circle, each alike likely: how far north, and how far east where a degree of
    /// longitude is as wide as one of latitude.
    fn in_circle(&mut self, reach: f64, site: Site, word: u32, span: &Span) -> Option<[Number; 2]> {
        // How far north: the inverse of the share of a circle below a height. How wide the circle is
        // there follows from the upper bits of the same word: no wider than at either end of the
        // step, so that no point lies outside.
        let first = self.word(site, word);
        let height = Quantile::new(|p, q| reach * height_of(p, q));
        let (min, max) = height.bounds();
        let widths: Vec<i64> = (0..CHORDS)
            .map(|step| {
                let least = step << (32 - CHORDS.ilog2());
                let most = least | ((1 << (32 - CHORDS.ilog2())) - 1);
                let heights = [least, most].map(|word| libm::fabs(height.value(word) as f64));
                let height = heights[0].max(heights[1]);
                #[expect(clippy::cast_possible_truncation, reason = "below 10^7")]
                let width =
                    libm::floor(libm::sqrt((reach * reach - height * height).max(0.0))) as i64;
                width
            })
            .collect();
        let (out, operand) = self.target(min, max);
        self.emit(Operation::Quantile { word: first, tables: [height].into(), select: None, out });
        let north = Number { operand, min, max, scale: SCALE };
        let step = self.below(u64::from(CHORDS), site, word);
        let step = word_of(step);
        let width = self.lookup(step, &widths, SCALE);
        let side = self.below(1 << 17, site, word + 1);
        let middle = Number::constant(1 << 16, 0);
        let side = self.arithmetic(Arithmetic::Subtract, [side, middle], 0, span)?;
        let east = self.arithmetic(Arithmetic::Multiply, [width, side], SCALE, span)?;
        let east = self.arithmetic(Arithmetic::Divide, [east, middle], SCALE, span)?;
        Some([north, east])
    }

    /// How many degrees of longitude are as wide as one of latitude; never too many.
    fn stretch(&mut self, latitude: Number, span: &Span) -> Option<Number> {
        #[expect(clippy::cast_possible_truncation, reason = "a number of ten digits")]
        let south = Number::constant((90.0 * UNIT) as i64, SCALE);
        #[expect(clippy::cast_possible_truncation, reason = "a number of ten digits")]
        let length = Number::constant(UNIT as i64 / STEPS_A_DEGREE, SCALE);
        let from_south = self.arithmetic(Arithmetic::Add, [latitude, south], SCALE, span)?;
        let floor = self.arithmetic(Arithmetic::FloorTo, [from_south, length], SCALE, span)?;
        let step = self.arithmetic(Arithmetic::Divide, [floor, length], 0, span)?;
        let step = word_of(step);
        let steps = 180 * STEPS_A_DEGREE;
        #[expect(clippy::cast_possible_truncation, reason = "at most twelve times the unit")]
        let stretches: Vec<i64> = (0..=steps)
            .map(|step| {
                let degrees = |step: i64| step as f64 / STEPS_A_DEGREE as f64 - 90.0;
                let nearest = degrees(step).abs().min(degrees(step + 1).abs()).min(LATITUDE_MAX);
                libm::floor(STRETCH_UNIT / libm::cos(nearest.to_radians())) as i64
            })
            .collect();
        Some(self.lookup(step, &stretches, 0))
    }

    fn on_earth(&mut self, number: Number, degrees: i64, span: &Span) -> Option<Number> {
        let limit = degrees * 10_i64.pow(u32::from(SCALE));
        if number.min >= -limit && number.max <= limit {
            return Some(number);
        }
        let [least, most] = [-limit, limit].map(|limit| Number::constant(limit, SCALE));
        let number = self.arithmetic(Arithmetic::Maximum, [number, least], SCALE, span)?;
        self.arithmetic(Arithmetic::Minimum, [number, most], SCALE, span)
    }

    /// A longitude beyond the date line is one from the other side.
    fn wrapped(&mut self, longitude: Number, span: &Span) -> Option<Number> {
        let half = 180 * 10_i64.pow(u32::from(SCALE));
        if longitude.min >= -half && longitude.max < half {
            return Some(longitude);
        }
        let [half, circle] = [half, 2 * half].map(|it| Number::constant(it, SCALE));
        let from_line = self.arithmetic(Arithmetic::Add, [longitude, half], SCALE, span)?;
        let inside = self.arithmetic(Arithmetic::Modulo, [from_line, circle], SCALE, span)?;
        self.arithmetic(Arithmetic::Subtract, [inside, half], SCALE, span)
    }
}

/// The height, −1 to 1, below which the share `p` of a circle of radius 1 lies; `q` is 1 − p.
fn height_of(p: f64, q: f64) -> f64 {
    if q < p {
        return -height_of(q, p);
    }
    // The share below −cos a is (a − sin a · cos a) / π, for a from 0 (nothing) to π / 2 (half).
    let (mut low, mut high) = (0.0, core::f64::consts::FRAC_PI_2);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let share = (middle - libm::sin(middle) * libm::cos(middle)) / core::f64::consts::PI;
        if share < p { low = middle } else { high = middle }
    }
    -libm::cos(f64::midpoint(low, high))
}
