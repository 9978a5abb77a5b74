//! What numbers picked at random look like, for the tests of what a forger has to guess.
//!
//! Each bound here lies [`SIGMAS`] standard deviations from what is expected of a uniform choice:
//! one run in ten thousand million of a perfect source crosses it, and a source that is visibly
//! worse than perfect does so every time.

/// The chance of a normally distributed figure to lie farther out on one side is 4e-11.
pub(super) const SIGMAS: f64 = 6.5;

/// Asserts that the picks fall into `cells` equal parts of the range alike.
///
/// Pearson's chi-squared test, at the bounds that Wilson and Hilferty's cube root gives for
/// [`SIGMAS`]: too even is as suspicious as too uneven.
#[track_caller]
pub(super) fn assert_uniform(what: &str, cells: usize, picks: impl IntoIterator<Item = usize>) {
    let mut counts = vec![0_u32; cells];
    picks.into_iter().for_each(|cell| counts[cell] += 1);
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    let expected = total / count(cells);
    assert!(expected >= 10.0, "{what}: too few picks for {cells} cells");
    let chi_squared: f64 =
        counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    let freedom = count(cells - 1);
    let bound = |sigmas: f64| {
        let part = 2.0 / (9.0 * freedom);
        freedom * (1.0 - part + sigmas * part.sqrt()).max(0.0).powi(3)
    };
    let (least, most) = (bound(-SIGMAS), bound(SIGMAS));
    println!(
        "{what}: chi-squared {chi_squared:.0} with {freedom} degrees, {least:.0} to {most:.0}"
    );
    assert!((least..=most).contains(&chi_squared), "{what}: chi-squared is {chi_squared}");
}

/// Asserts that no pick says anything about the one that comes so many later.
///
/// The correlation of independent picks has a standard deviation of one over the root of their
/// number.
#[track_caller]
pub(super) fn assert_uncorrelated(what: &str, picks: &[u16], lags: &[usize]) {
    let mean = picks.iter().copied().map(f64::from).sum::<f64>() / count(picks.len());
    let deviation = |pick: u16| f64::from(pick) - mean;
    let variance: f64 = picks.iter().map(|&pick| deviation(pick).powi(2)).sum();
    let bound = SIGMAS / count(picks.len()).sqrt();
    for &lag in lags {
        let pairs = picks.iter().zip(&picks[lag..]);
        let product: f64 = pairs.map(|(&a, &b)| deviation(a) * deviation(b)).sum();
        let correlation = product / variance;
        println!("{what}: correlation {correlation:.6} at lag {lag}, {bound:.6} allowed");
        assert!(correlation.abs() <= bound, "{what}: lag {lag} correlates by {correlation}");
    }
}

/// Asserts that the next pick is as often above as below the one before.
///
/// In a row of `n` independent picks the number of ascents has mean (n-1)/2 and variance (n+1)/12.
#[track_caller]
pub(super) fn assert_no_trend(what: &str, picks: &[u16]) {
    let pairs = || picks.iter().zip(&picks[1..]);
    let ascents = count(pairs().filter(|(a, b)| a < b).count());
    // Equal neighbours are neither: each half.
    let ascents = ascents + count(pairs().filter(|(a, b)| a == b).count()) / 2.0;
    let (mean, bound) =
        (count(picks.len() - 1) / 2.0, SIGMAS * (count(picks.len() + 1) / 12.0).sqrt());
    println!("{what}: {ascents} ascents, {mean} expected, {bound:.0} allowed beside");
    assert!((ascents - mean).abs() <= bound, "{what}: {ascents} ascents");
}

/// Asserts that as many different values came as uniform picks among `values` bring.
///
/// Their number has the mean and variance of the classical occupancy problem (Johnson and Kotz, Urn
/// Models, 1977, section 3.2). Where hardly one is missing that is no normal distribution any more,
/// which Bernstein's inequality makes up for.
#[track_caller]
pub(super) fn assert_as_many_distinct(what: &str, values: usize, picks: &[u16]) -> usize {
    let mut distinct = picks.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let (values, load) = (count(values), count(picks.len()) / count(values));
    let empty = (-load).exp();
    let mean = values * (1.0 - empty);
    let deviation = (values * empty * (1.0 - (1.0 + load) * empty)).sqrt();
    let bound = SIGMAS * deviation + SIGMAS.powi(2) / 3.0;
    println!("{what}: {} distinct, {mean:.0} expected, {bound:.0} allowed beside", distinct.len());
    assert!((count(distinct.len()) - mean).abs() <= bound, "{what}: {} distinct", distinct.len());
    distinct.len()
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).expect("fewer than four thousand million"))
}

/// The checks notice sources that look random at a glance.
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    /// Numbers that are all there, each as often as the others.
    fn counter(n: usize) -> Vec<u16> {
        (0..=u16::MAX).cycle().take(n).collect()
    }

    /// A generator of 16 bits of state: every value once in a period, none ever twice in a row.
    fn lehmer(n: usize) -> Vec<u16> {
        let mut state = 1_u32;
        let mut next = || {
            state = state * 75 % 65_537;
            u16::try_from(state & 0xffff).expect("sixteen bits")
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn too_even_and_too_uneven_are_noticed() {
        let cells = |picks: Vec<u16>| picks.into_iter().map(|pick| usize::from(pick) % 64);
        for bad in [counter(10_000), lehmer(65_536), vec![1; 10_000]] {
            assert!(catch_unwind(|| assert_uniform("bad", 64, cells(bad))).is_err());
        }
    }

    #[test]
    fn a_row_and_its_repetition_are_noticed() {
        let once = lehmer(1000);
        assert!(catch_unwind(|| assert_uncorrelated("a row", &counter(1000), &[1])).is_err());
        let twice = [once.clone(), once].concat();
        assert!(catch_unwind(|| assert_uncorrelated("twice", &twice, &[1000])).is_err());
        assert!(catch_unwind(|| assert_no_trend("a row", &counter(1000))).is_err());
    }

    #[test]
    fn a_choice_among_a_part_is_noticed() {
        let part: Vec<_> = lehmer(20_000).iter().map(|pick| pick & 0x3fff).collect();
        assert!(catch_unwind(|| assert_as_many_distinct("a part", 28_232, &part)).is_err());
        assert!(
            catch_unwind(|| assert_as_many_distinct("no repetition", 28_232, &counter(10_000)))
                .is_err()
        );
    }
}
