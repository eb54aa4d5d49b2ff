//! Budgets that no concurrency overspends: reserve the worst case, settle to what was used.
//!
//! An [`Account`] is one limit in one period (tokens or money of an application, a team or a model in a month). A call holds its worst
//! case in every account that it touches before it goes out, all of them or none; nothing is checked first and added later. When the
//! call has ended, the hold is settled to what it used. A hold of which nobody heard again is charged in full when its time is over,
//! and corrected should the call still end.
//!
//! | when | what the accounts are charged |
//! |---|---|
//! | the call was never sent | nothing: [`Reservation::release`] |
//! | it ended, and the provider said what it took | that |
//! | it broke off | what was known until then, or the whole hold when nothing was: never less than is known |
//! | the reservation was dropped or expired | the whole hold |

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One limit in one period. Units are the caller's: tokens, or millionths of a currency.
#[derive(Debug)]
pub struct Account {
    limit: AtomicU64,
    /// Settled and held together.
    taken: AtomicU64,
    /// What was charged for good.
    settled: AtomicU64,
}

impl Account {
    /// An account of which `settled` has been charged before, as when a node starts again.
    #[must_use]
    pub fn new(limit: u64, settled: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            taken: AtomicU64::new(settled),
            settled: AtomicU64::new(settled),
        }
    }

    /// Another limit from now on. Holds that are out stay.
    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Release);
    }

    /// The limit.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Acquire)
    }

    /// What was charged for good.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Acquire)
    }

    /// What is held by calls that have not ended.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.taken
            .load(Ordering::Acquire)
            .saturating_sub(self.settled())
    }

    /// What can still be held.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.limit()
            .saturating_sub(self.taken.load(Ordering::Acquire))
    }

    /// Holds an amount if it fits. Whoever comes second sees what the first has taken: one atomic step, and no lock.
    fn hold(&self, amount: u64) -> bool {
        let limit = self.limit();
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                taken.checked_add(amount).filter(|after| *after <= limit)
            })
            .is_ok()
    }

    fn give_back(&self, amount: u64) {
        let _ = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                Some(taken.saturating_sub(amount))
            });
    }

    /// Turns a hold into a charge. More than the hold is charged all the same: it was spent.
    fn charge(&self, held: u64, used: u64) {
        let _ = self
            .settled
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |settled| {
                Some(settled.saturating_add(used))
            });
        if used >= held {
            let _ = self
                .taken
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                    Some(taken.saturating_add(used - held))
                });
        } else {
            self.give_back(held - used);
        }
    }

    /// Takes back a charge that was too high.
    fn refund(&self, amount: u64) {
        let _ = self
            .settled
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |settled| {
                Some(settled.saturating_sub(amount))
            });
        self.give_back(amount);
    }
}

/// What a call needs of one account.
#[derive(Debug, Clone)]
pub struct Need {
    /// The account.
    pub account: Arc<Account>,
    /// The worst case.
    pub amount: u64,
}

/// An account has not enough left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a budget has {left} left of {limit}, and the call may need {needed}")]
pub struct Exhausted {
    /// Which of the needs, from 0.
    pub index: usize,
    /// What the account allows.
    pub limit: u64,
    /// What is left.
    pub left: u64,
    /// What the call may need.
    pub needed: u64,
}

#[derive(Debug)]
struct Hold {
    needs: Vec<Need>,
    deadline: u64,
    /// Locked by the call's own end and by expiry, which meet at most once.
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Charged in full because its time was over.
    Expired,
    Closed,
}

impl Hold {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Charges all of it, when nobody has ended it.
    fn charge_in_full(&self, becomes: State) -> bool {
        let mut state = self.state();
        if *state != State::Open {
            return false;
        }
        *state = becomes;
        for need in &self.needs {
            need.account.charge(need.amount, need.amount);
        }
        true
    }
}

/// A hold on all accounts of one call. Dropped without a word, it is charged in full: the provider may have been asked.
#[derive(Debug)]
pub struct Reservation {
    hold: Arc<Hold>,
}

impl Reservation {
    /// Holds every need or none. `now` and `lifetime` are in seconds.
    ///
    /// # Errors
    /// The first account that has not enough left.
    pub fn take(needs: Vec<Need>, now: u64, lifetime: u64) -> Result<Self, Exhausted> {
        for (index, need) in needs.iter().enumerate() {
            if !need.account.hold(need.amount) {
                let refused = Exhausted {
                    index,
                    limit: need.account.limit(),
                    left: need.account.left(),
                    needed: need.amount,
                };
                for held in needs.iter().take(index) {
                    held.account.give_back(held.amount);
                }
                return Err(refused);
            }
        }
        Ok(Self {
            hold: Arc::new(Hold {
                needs,
                deadline: now.saturating_add(lifetime),
                state: Mutex::new(State::Open),
            }),
        })
    }

    /// What is held, in the order of the needs.
    pub fn amounts(&self) -> impl Iterator<Item = u64> {
        self.hold.needs.iter().map(|need| need.amount)
    }

    /// The call was never sent: nothing is charged.
    pub fn release(self) {
        self.close(&[], |_| 0);
    }

    /// The call has ended. `used` is what it took of each need, in their order; `None` is not known, and is charged in full.
    pub fn settle(self, used: &[Option<u64>]) {
        self.close(used, |need| need.amount);
    }

    fn close(&self, used: &[Option<u64>], unknown: impl Fn(&Need) -> u64) {
        let mut state = self.hold.state();
        for (index, need) in self.hold.needs.iter().enumerate() {
            let used = used
                .get(index)
                .copied()
                .flatten()
                .unwrap_or_else(|| unknown(need));
            match *state {
                State::Open => need.account.charge(need.amount, used),
                // What it did not use comes back, what it used beyond is added.
                State::Expired => {
                    need.account.refund(need.amount.saturating_sub(used));
                    need.account.charge(0, used.saturating_sub(need.amount));
                }
                State::Closed => {}
            }
        }
        *state = State::Closed;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.hold.charge_in_full(State::Closed);
    }
}

/// Reservations that are out, by the time at which they are over. One lock that is held for a push or a few pops.
#[derive(Debug, Default)]
pub struct Outstanding {
    holds: Mutex<VecDeque<Arc<Hold>>>,
}

impl Outstanding {
    /// Remembers a reservation, so that it is charged when nobody settles it.
    pub fn watch(&self, reservation: &Reservation) {
        let mut holds = self.holds();
        while holds
            .front()
            .is_some_and(|hold| *hold.state() != State::Open)
        {
            holds.pop_front();
        }
        holds.push_back(Arc::clone(&reservation.hold));
    }

    /// Charges in full what is over, and says how many those were.
    pub fn expire(&self, now: u64) -> usize {
        let mut charged = 0;
        self.holds().retain(|hold| {
            if hold.deadline > now {
                return *hold.state() == State::Open;
            }
            charged += usize::from(hold.charge_in_full(State::Expired));
            false
        });
        charged
    }

    fn holds(&self) -> MutexGuard<'_, VecDeque<Arc<Hold>>> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
