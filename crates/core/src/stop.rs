//! When a process ends: on SIGTERM and SIGINT, by a flag that every thread of it watches.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How often something that is not there is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Says that the process is to end, and how urgently. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(Mutex<Urgency>, Condvar)>);

/// How urgently the process is to end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Not at all.
    #[default]
    GoOn,
    /// Take nothing new, end what runs.
    Finish,
    /// At once.
    Now,
}

impl Stop {
    /// A flag that SIGTERM and SIGINT raise: the first to [`Urgency::Finish`], the second to [`Urgency::Now`].
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        let raised = stop.clone();
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        std::thread::spawn(move || {
            for (count, _) in signals.forever().enumerate() {
                raised.raise(if count == 0 { Urgency::Finish } else { Urgency::Now });
            }
        });
        Ok(stop)
    }

    /// Raises the flag; it never goes back.
    pub fn raise(&self, urgency: Urgency) {
        let (flag, changed) = &*self.0;
        let mut flag = flag.lock().unwrap_or_else(PoisonError::into_inner);
        *flag = urgency.max(*flag);
        changed.notify_all();
    }

    /// How urgently the process is to end.
    pub fn urgency(&self) -> Urgency {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the process is to end.
    pub fn is_raised(&self) -> bool {
        self.urgency() > Urgency::GoOn
    }

    /// Waits until the flag is raised to `urgency`, at most for `patience`; says how far it is raised then.
    pub fn wait(&self, urgency: Urgency, patience: Duration) -> Urgency {
        let (flag, changed) = &*self.0;
        let flag = flag.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(flag, patience, |raised| *raised < urgency);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Asks for something until it is there, and says what is waited for. `None` when the process is to end first.
    pub fn wait_for<T, E: std::fmt::Display>(&self, name: &str, ask: impl Fn() -> Result<T, E>) -> Option<T> {
        let mut said = None;
        while !self.is_raised() {
            match ask() {
                Ok(there) => {
                    if said.is_some() {
                        log::info!("{name} is ready");
                    }
                    return Some(there);
                }
                Err(reason) => {
                    let reason = reason.to_string();
                    if said.as_ref() != Some(&reason) {
                        log::warn!("waiting for {name}: {reason}");
                        said = Some(reason);
                    }
                }
            }
            self.wait(Urgency::Finish, ASK_AGAIN);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raised_flag_wakes_who_waits_and_never_falls() {
        let stop = Stop::default();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stop.wait(Urgency::Now, Duration::from_secs(60)));
            stop.raise(Urgency::Now);
            stop.raise(Urgency::Finish);
            assert_eq!(waiting.join().unwrap(), Urgency::Now);
        });
        assert_eq!(stop.urgency(), Urgency::Now);
    }

    #[test]
    fn what_is_there_is_not_waited_for() {
        let stop = Stop::default();
        assert_eq!(stop.wait_for("x", || Ok::<_, String>(1)), Some(1));
        stop.raise(Urgency::Finish);
        assert_eq!(stop.wait_for("x", || Err::<(), _>("away")), None);
    }
}
