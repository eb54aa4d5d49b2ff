//! Upper bounds that hold at every look: what a promotion needs.
//!
//! Both invert an e-process (Ramdas, Grünwald, Vovk & Shafer, "Game-theoretic statistics and safe anytime-valid inference",
//! Statistical Science 2023, section 6): a value is ruled out when the evidence against "it is the truth, or too low" reaches
//! 1/α. The truth is ever ruled out with probability α at most, however often somebody looks.

use serde::{Deserialize, Serialize};

/// Values of the ratio that are tested, each 1.1 times the one before: 1.1 to 21.
const RATIOS: usize = 32;
/// What the evidence bets on instead, with equal weights: that the canary is better, a little better, or as good. None is above
/// a tested value, so a likelihood ratio falls with the ratio and holds for "at least this" as for "exactly this".
const BETTER: [f64; 3] = [0.1, 0.5, 1.0];
/// The same for rates.
const RARE: [f64; 3] = [1e-5, 1e-4, 1e-3];
/// No bound on a rate below this is given, so that every bet is below what is tested.
const LOWEST_RATE: f64 = 2e-3;

fn tested(index: usize) -> f64 {
    // INVARIANT: the index is below `RATIOS`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    1.1_f64.powi(index as i32 + 1)
}

/// ln of the mean of three likelihoods given as logarithms.
fn mixed(likelihoods: [f64; 3]) -> f64 {
    let most = likelihoods.into_iter().fold(f64::MIN, f64::max);
    let sum: f64 = likelihoods.into_iter().map(|one| (one - most).exp()).sum();
    most + (sum / 3.0).ln()
}

/// Likelihoods of the ratio of bad rates, canary to control, given all bad events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RatioBound {
    tested: [f64; RATIOS],
    bets: [f64; 3],
}

impl Default for RatioBound {
    fn default() -> Self {
        Self {
            tested: [0.0; RATIOS],
            bets: [0.0; 3],
        }
    }
}

impl RatioBound {
    /// Takes a bad event. Too small a share makes the bound too high, which is the safe side.
    pub fn add(&mut self, share: f64, is_canary: bool) {
        let likelihood = |ratio: f64| {
            let whole = share.mul_add(ratio, 1.0 - share);
            let part = if is_canary {
                share * ratio
            } else {
                1.0 - share
            };
            (part / whole).ln()
        };
        for (index, sum) in self.tested.iter_mut().enumerate() {
            *sum += likelihood(tested(index));
        }
        for (sum, ratio) in self.bets.iter_mut().zip(BETTER) {
            *sum += likelihood(ratio);
        }
    }

    /// The ratio that the truth is below, at level `alpha`; `None` when it may be above 21.
    #[must_use]
    pub fn upper(&self, alpha: f64) -> Option<f64> {
        let bets = mixed(self.bets);
        let is_ruled_out = |likelihood: &f64| bets - likelihood >= -alpha.ln();
        let ruled_out = self.tested.iter().rev().take_while(|one| is_ruled_out(one));
        let lowest = RATIOS - ruled_out.count();
        (lowest < RATIOS).then(|| tested(lowest))
    }
}

/// The rate that the truth is below, at level `alpha`, after `bad` of `requests`; at least 0.2 %.
#[must_use]
pub fn upper_rate(bad: f64, requests: f64, alpha: f64) -> f64 {
    let good = (requests - bad).max(0.0);
    let likelihood = |rate: f64| bad.mul_add(rate.ln(), good * (1.0 - rate).ln());
    let bets = mixed(RARE.map(likelihood));
    let is_ruled_out = |rate: f64| bets - likelihood(rate) >= -alpha.ln();
    // Likelihoods fall above the observed rate, so there is one place between it and 1 where ruling out begins.
    let observed = if requests > 0.0 { bad / requests } else { 1.0 };
    let (mut low, mut high) = (observed.clamp(LOWEST_RATE, 1.0), 1.0);
    if is_ruled_out(low) {
        return low;
    }
    for _ in 0..20 {
        let middle = f64::midpoint(low, high);
        if is_ruled_out(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_events_nothing_is_ruled_out() {
        assert_eq!(RatioBound::default().upper(0.05), None);
        assert!((upper_rate(0.0, 0.0, 0.05) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_bound_on_the_ratio_falls_with_events_and_stays_above_what_was_seen() {
        let mut bound = RatioBound::default();
        let mut before = f64::INFINITY;
        for round in 1..=2_000 {
            // One of twenty at 5 %: the canary is as good as the control arm.
            bound.add(0.05, round % 20 == 0);
            if round % 500 == 0 {
                let upper = bound.upper(0.025).unwrap();
                assert!(upper > 1.0 && upper <= before, "{round}: {upper}");
                before = upper;
            }
        }
        assert!(before < 2.0, "{before}");
    }

    #[test]
    fn a_canary_that_is_worse_is_not_bounded_below_its_ratio() {
        let mut bound = RatioBound::default();
        for round in 1..=2_000 {
            // 5·0.05 / (5·0.05 + 0.95) is nearly 5 of 24.
            bound.add(0.05, round % 24 < 5);
        }
        assert!(bound.upper(0.025).unwrap() >= 5.0);
    }

    #[test]
    fn the_bound_on_a_rate_falls_with_requests_and_stays_above_what_was_seen() {
        assert!(upper_rate(0.0, 500.0, 0.025) > 0.005);
        assert!(upper_rate(0.0, 1_500.0, 0.025) < 0.005);
        assert!(upper_rate(50.0, 1_000.0, 0.025) > 0.05);
        assert!(upper_rate(1_000.0, 1_000.0, 0.025) > 0.999);
        assert!(upper_rate(20.0, 1e9, 0.025) >= LOWEST_RATE);
    }
}
