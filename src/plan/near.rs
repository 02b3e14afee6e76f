//! Neighbours: rows of a table that lie near each other on the globe.

/// The mean radius of the Earth in kilometres (IUGG).
const RADIUS_KM: f64 = 6_371.008_8;
/// The most neighbours of a row, the nearest ones.
pub const NEIGHBOURS_MAX: usize = 64;
/// The most rows of a table of places.
pub const ROWS_MAX: usize = 16_384;

/// Where rows lie: latitude and longitude in degrees.
pub type Place = [f64; 2];

/// For each row its neighbours and what they weigh: at most [`NEIGHBOURS_MAX`] of those within the
/// distance that weigh anything, itself included, their own weight times e^(−3·distance / within).
///
/// A row with no such neighbour has the nearest one that weighs anything, however far.
///
/// # Panics
///
/// If no row weighs anything.
pub fn neighbours(places: &[Place], weights: &[f64], within_km: f64) -> Vec<Vec<(usize, f64)>> {
    let points: Vec<[f64; 3]> = places.iter().map(|place| on_sphere(*place)).collect();
    let mut order: Vec<usize> = (0..places.len()).filter(|row| weights[*row] > 0.0).collect();
    assert!(!order.is_empty(), "no place weighs anything");
    order.sort_by(|a, b| places[*a][0].total_cmp(&places[*b][0]));
    let degrees = (within_km / RADIUS_KM).to_degrees();
    let row = |row: usize| {
        let latitude = places[row][0];
        let first = order.partition_point(|other| places[*other][0] < latitude - degrees);
        let nearby = order[first..].iter().take_while(|it| places[**it][0] <= latitude + degrees);
        let distance = |other: &usize| (distance_km(&points[row], &points[*other]), *other);
        let mut found: Vec<(f64, usize)> =
            nearby.map(distance).filter(|(distance, _)| *distance <= within_km).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        found.truncate(NEIGHBOURS_MAX);
        if found.is_empty() {
            found.extend(order.iter().map(distance).min_by(|a, b| a.0.total_cmp(&b.0)));
        }
        // Relative to the nearest, so that what is far from all others weighs something too.
        let nearest = found[0].0.min(within_km);
        let weight = |(distance, other): (f64, usize)| {
            let fall = libm::exp(-3.0 * (distance.min(within_km) - nearest) / within_km);
            (other, weights[other] * fall)
        };
        found.into_iter().map(weight).collect()
    };
    (0..places.len()).map(row).collect()
}

fn on_sphere([latitude, longitude]: Place) -> [f64; 3] {
    let (latitude, longitude) = (latitude.to_radians(), longitude.to_radians());
    let flat = libm::cos(latitude);
    [flat * libm::cos(longitude), flat * libm::sin(longitude), libm::sin(latitude)]
}

/// Along the great circle, from the chord.
fn distance_km(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    let square = |place: usize| (a[place] - b[place]) * (a[place] - b[place]);
    let chord = libm::sqrt(square(0) + square(1) + square(2));
    2.0 * RADIUS_KM * libm::asin((chord / 2.0).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARIS: Place = [48.8566, 2.3522];
    const LONDON: Place = [51.5074, -0.1278];
    const VERSAILLES: Place = [48.8049, 2.1204];
    const SUVA: Place = [-18.1416, 178.4419];
    const APIA: Place = [-13.8333, -171.7667];

    #[test]
    fn distances_are_those_of_the_globe() {
        for (a, b, km) in [(PARIS, LONDON, 343.6), (PARIS, VERSAILLES, 17.9), (SUVA, APIA, 1_144.0)]
        {
            let found = distance_km(&on_sphere(a), &on_sphere(b));
            assert!((found / km - 1.0).abs() < 0.01, "{found} for {km}");
        }
    }

    #[test]
    fn neighbours_lie_within_the_distance_and_weigh_less_the_farther_they_are() {
        let places = [PARIS, LONDON, VERSAILLES, SUVA, APIA];
        let all = neighbours(&places, &[2.0, 1.0, 1.0, 0.0, 1.0], 30.0);
        let rows: Vec<Vec<usize>> =
            all.iter().map(|of| of.iter().map(|(row, _)| *row).collect()).collect();
        assert_eq!(rows, [vec![0, 2], vec![1], vec![2, 0], vec![4], vec![4]]);
        let expected = libm::exp(-3.0 * 17.9 / 30.0);
        assert!((all[0][1].1 - expected).abs() < 0.01, "{}", all[0][1].1);
        assert!((all[2][1].1 - 2.0 * expected).abs() < 0.02, "{}", all[2][1].1);
    }

    #[test]
    fn only_the_nearest_are_kept() {
        let places: Vec<Place> = (0..200).map(|step| [f64::from(step) * 0.001, 10.0]).collect();
        let all = neighbours(&places, &[1.0; 200], 1_000.0);
        assert!(all.iter().all(|of| of.len() == NEIGHBOURS_MAX));
        assert!(all[100].iter().all(|(row, _)| (68..=132).contains(row)));
    }
}
