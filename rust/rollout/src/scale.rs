//! Where the scale of shares begins, so that a step has the share that was asked for.

use crate::share::Share;

/// From one beginning that is tried to the next, in hundredths of a percent.
const STEP: usize = 25;

/// Sums of what lies below each place: requests and callers, twice around, since the scale is a ring.
pub(crate) struct Scale(Vec<[f64; 2]>);

impl Scale {
    /// Places with what was sent from there.
    pub fn new(sent: impl Iterator<Item = (u16, u64)>) -> Self {
        let places = usize::from(Share::ALL.hundredths());
        let mut at = vec![[0.0, 0.0]; places];
        for (place, requests) in sent {
            if let Some([all, callers]) = at.get_mut(usize::from(place)) {
                #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
                let requests = requests as f64;
                *all += requests;
                *callers += 1.0;
            }
        }
        let mut below = [0.0, 0.0];
        let sums = at
            .iter()
            .cycle()
            .take(2 * places)
            .map(|[requests, callers]| {
                let [all, count] = below;
                below = [all + requests, count + callers];
                [all, count]
            });
        Self(sums.collect())
    }

    /// The beginning from which the steps' shares are closest to what was asked for.
    pub fn best_turn(&self, steps: &[Share]) -> u16 {
        let turns = (0..Share::ALL.hundredths()).step_by(STEP);
        let misses = turns.map(|turn| (self.miss(turn, steps), turn));
        let best = misses.min_by(|(one, _), (other, _)| one.total_cmp(other));
        best.map_or(0, |(_, turn)| turn)
    }

    /// How far the shares of all steps are from what was asked for, in parts of it.
    fn miss(&self, turn: u16, steps: &[Share]) -> f64 {
        let sums = |place: u16| self.0.get(usize::from(place)).copied().unwrap_or_default();
        let all = sums(Share::ALL.hundredths());
        let begin = sums(turn);
        let of_step = |share: &Share| -> f64 {
            let end = sums(turn + share.hundredths());
            let parts = end.iter().zip(begin).zip(all);
            parts
                .filter(|(_, all)| *all > 0.0)
                .map(|((end, begin), all)| ((end - begin) / all / share.fraction() - 1.0).powi(2))
                .sum()
        };
        steps
            .iter()
            .filter(|share| Share::NONE < **share && **share < Share::ALL)
            .map(of_step)
            .sum()
    }
}
