//! The evidence that a rate is higher than it may be: a mixture e-process, and beside it an e-detector for what begins late.
//!
//! Lindon & Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022, for the e-process; Shin, Ramdas & Rinaldo,
//! "E-detectors", 2022, for the detector.

use serde::{Deserialize, Serialize};

/// The ratio of bad rates, canary to control, up to which a canary counts as no worse.
pub const NO_WORSE: f64 = 1.1;
/// The ratios that are tried against it, with equal weights.
pub const WORSE: [f64; 8] = [1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0];

/// The logarithm of the likelihood ratio of one step, for each of [`WORSE`].
pub type LogRatios = [f64; 8];

/// The denominator of p(θ,ρ) = ρθ/(ρθ+1−ρ), the probability that a bad event is the canary's when its rate is `ratio` times the
/// control arm's.
fn denominator(ratio: f64, share: f64) -> f64 {
    share.mul_add(ratio, 1.0 - share)
}

/// What one bad event says when the canary's share is `share`, between 0 and 1 exclusively.
#[must_use]
pub fn of_bad_event(share: f64, is_canary: bool) -> LogRatios {
    WORSE.map(|worse| {
        let spread = (denominator(NO_WORSE, share) / denominator(worse, share)).ln();
        if is_canary {
            (worse / NO_WORSE).ln() + spread
        } else {
            spread
        }
    })
}

/// What bad and good answers say against a rate of at most [`NO_WORSE`] times `base`, without a control arm.
#[must_use]
pub fn of_counts(base: f64, bad: f64, good: f64) -> LogRatios {
    let before = (base * NO_WORSE).clamp(1e-9, 0.9);
    WORSE.map(|worse| {
        let worse = (before * worse / NO_WORSE).min(0.99);
        bad.mul_add(
            (worse / before).ln(),
            good * ((1.0 - worse) / (1.0 - before)).ln(),
        )
    })
}

/// Evidence so far, all in logarithms.
///
/// As long as the canary is no worse, E is a non-negative supermartingale that starts at 1, so that it ever reaches 1/α with
/// probability α at most (Ville). The detector R = (R + 1)·LR forgets healthy times; R_t + T − t is a supermartingale for T steps that
/// starts at T, so that R reaches T/α within them with probability α at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// ln of the product of likelihood ratios.
    products: LogRatios,
    /// ln(R + 1), so that nothing is infinite at the start.
    detectors: LogRatios,
}

impl Default for Mixture {
    fn default() -> Self {
        Self {
            products: [0.0; 8],
            detectors: [0.0; 8],
        }
    }
}

impl Mixture {
    /// Takes one step.
    pub fn add(&mut self, step: &LogRatios) {
        for ((product, detector), ratio) in
            self.products.iter_mut().zip(&mut self.detectors).zip(step)
        {
            *product += ratio;
            let next = *detector + ratio;
            // ln(1 + e^next) without overflow.
            *detector = next.max(0.0) + (-next.abs()).exp().ln_1p();
        }
    }

    /// Lowers the detector to what `limit` allows.
    pub fn hold_below(&mut self, limit: f64) {
        for detector in &mut self.detectors {
            *detector = detector.min(limit);
        }
    }

    /// ln E.
    #[must_use]
    pub fn evidence(&self) -> f64 {
        let most = self.products.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = self.products.iter().map(|one| (one - most).exp()).sum();
        most + (sum / 8.0).ln()
    }

    /// ln R; the least number there is when R is 0.
    #[must_use]
    pub fn late_evidence(&self) -> f64 {
        let most = self.detectors.iter().copied().fold(0.0, f64::max);
        let sum: f64 = self
            .detectors
            .iter()
            .map(|one| (one - most).exp() - (-most).exp())
            .sum();
        if sum > 0.0 {
            most + (sum / 8.0).ln()
        } else {
            f64::MIN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(ratio: f64, share: f64) -> f64 {
        ratio * share / (ratio * share + 1.0 - share)
    }

    #[test]
    fn evidence_is_the_formula_of_the_specification() {
        let events = [(0.05, true), (0.05, false), (0.25, true), (0.01, true)];
        let mut mixture = Mixture::default();
        for (share, is_canary) in events {
            mixture.add(&of_bad_event(share, is_canary));
        }
        let product = |worse: f64| -> f64 {
            let one = |(share, is_canary): (f64, bool)| {
                let (over, under) = (p(worse, share), p(NO_WORSE, share));
                if is_canary {
                    over / under
                } else {
                    (1.0 - over) / (1.0 - under)
                }
            };
            events.into_iter().map(one).product()
        };
        let expected: f64 = WORSE.into_iter().map(product).sum::<f64>() / 8.0;
        assert!((mixture.evidence() - expected.ln()).abs() < 1e-9);
    }

    #[test]
    fn the_detector_is_the_recursion_of_the_specification() {
        let mut mixture = Mixture::default();
        assert_eq!(mixture.late_evidence(), f64::MIN);
        let mut direct = [0.0_f64; 8];
        for step in 0..50 {
            let ratios = of_bad_event(0.05, step % 7 == 0);
            mixture.add(&ratios);
            for (one, ratio) in direct.iter_mut().zip(ratios) {
                *one = (*one + 1.0) * ratio.exp();
            }
        }
        let expected = direct.iter().sum::<f64>() / 8.0;
        assert!((mixture.late_evidence() - expected.ln()).abs() < 1e-9);
    }

    #[test]
    fn a_step_is_worth_one_on_average_when_the_canary_is_as_bad_as_it_may_be_and_less_when_it_is_better()
     {
        for share in [0.01, 0.05, 0.5, 0.9] {
            for (ratio, least) in [(NO_WORSE, 0.999_999), (1.0, 0.0), (0.1, 0.0)] {
                let canary = p(ratio, share);
                let yes = of_bad_event(share, true);
                let no = of_bad_event(share, false);
                for (yes, no) in yes.into_iter().zip(no) {
                    let mean = canary * yes.exp() + (1.0 - canary) * no.exp();
                    assert!(
                        mean <= 1.000_001 && mean >= least,
                        "{share} {ratio}: {mean}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_million_events_overflow_nothing() {
        for is_canary in [true, false] {
            let mut mixture = Mixture::default();
            let step = of_bad_event(0.05, is_canary);
            for _ in 0..1_000_000 {
                mixture.add(&step);
            }
            assert!(mixture.evidence().is_finite() && mixture.late_evidence().is_finite());
        }
    }
}
