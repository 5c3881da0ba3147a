//! When a process ends: on SIGTERM and SIGINT, by a flag that every thread of it watches. Until then it waits for what it
//! needs, and says so.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How often something that is not there is asked for again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Says that the process is to end, and how urgently. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    urgency: Mutex<Urgency>,
    changed: Condvar,
    /// What threads wait for and have said so: one of them says it for all.
    waited_for: Mutex<BTreeSet<String>>,
}

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
        let mut flag = self.0.urgency.lock().unwrap_or_else(PoisonError::into_inner);
        *flag = urgency.max(*flag);
        self.0.changed.notify_all();
    }

    /// How urgently the process is to end.
    pub fn urgency(&self) -> Urgency {
        *self.0.urgency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the process is to end.
    pub fn is_raised(&self) -> bool {
        self.urgency() > Urgency::GoOn
    }

    /// Waits until the flag is raised to `urgency`, at most for `patience`; says how far it is raised then.
    pub fn wait(&self, urgency: Urgency, patience: Duration) -> Urgency {
        let flag = self.0.urgency.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.changed.wait_timeout_while(flag, patience, |raised| *raised < urgency);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Asks for something until it is there, and says what is waited for: once, however many threads wait for it. `None`
    /// when the process is to end first.
    pub fn wait_for<T, E: Display>(&self, name: &str, ask: impl Fn() -> Result<T, E>) -> Option<T> {
        self.wait_for_until(Urgency::Finish, name, ask)
    }

    /// The same, but only a process that is to end as urgently as this comes first.
    pub fn wait_for_until<T, E: Display>(
        &self,
        urgency: Urgency,
        name: &str,
        ask: impl Fn() -> Result<T, E>,
    ) -> Option<T> {
        // What this thread has said. Others may be told something else by what is away, which is no news.
        let (mut waits, mut said) = (false, None);
        while self.urgency() < urgency {
            match ask() {
                Ok(there) => {
                    if waits && self.waited_for().remove(name) {
                        log::info!("{name} is ready");
                    }
                    return Some(there);
                }
                Err(reason) => {
                    let reason = reason.to_string();
                    let first = self.waited_for().insert(name.to_owned());
                    if first || said.as_ref().is_some_and(|said| *said != reason) {
                        log::warn!("waiting for {name}: {reason}");
                        said = Some(reason);
                    }
                    waits = true;
                }
            }
            self.wait(urgency, ASK_AGAIN);
        }
        None
    }

    fn waited_for(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.waited_for.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was said in this test's process.
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    struct Listener;

    impl log::Log for Listener {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            SAID.lock().unwrap().push(record.args().to_string());
        }
        fn flush(&self) {}
    }

    #[test]
    fn what_two_threads_wait_for_is_said_once() {
        log::set_logger(&Listener).unwrap();
        log::set_max_level(log::LevelFilter::Info);
        let (stop, asked) = (Stop::default(), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            for reason in ["one says", "another says"] {
                let (stop, asked) = (stop.clone(), &asked);
                scope.spawn(move || {
                    let first = std::cell::Cell::new(true);
                    let ask = || if first.take() { Err(reason) } else { Ok(asked.wait()) };
                    stop.wait_for("what two wait for", ask).unwrap()
                });
            }
        });
        let said: Vec<String> =
            SAID.lock().unwrap().iter().filter(|line| line.contains("what two wait for")).cloned().collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("waiting for what two wait for: "), "{said:?}");
        assert_eq!(said[1], "what two wait for is ready");
    }

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
        assert_eq!(
            stop.wait_for_until(Urgency::Now, "x", || Ok::<_, String>(1)),
            Some(1),
            "it may end what it has begun"
        );
    }
}
