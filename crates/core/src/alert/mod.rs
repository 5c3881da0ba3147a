//! Alerts: the rules that raise them, what they say, and their life.

#[expect(clippy::module_inception, reason = "the thing that the room is named after")]
mod alert;
mod backtest;
mod change;
mod condition;
mod content;
mod counts;
mod event;
mod passings;
mod pattern;
mod rule;
mod silence;
mod span;
mod told;
mod watched;
mod watchlist;
mod windows;

pub use alert::{Alert, AlertId, AlertState, Finding, Place, Touch};
pub use backtest::{Backtest, Backtested, BreachedWindow, OfApp};
pub use change::{AlertChange, AlertFilter, Chosen, Said, Silenced, assignee, is_about};
pub use condition::{Condition, Factor, Kind, Observed, Outcome};
pub use content::{Ended, Telling};
pub use counts::{Counts, Needs, hour, minute, whole_minutes};
pub use event::{AlertEvent, AlertEventKind};
pub use passings::{Passing, Passings};
pub use pattern::{most_frequent, patterns};
pub(crate) use rule::WINDOWS;
pub use rule::{ERROR_LOGS, NewRule, Rule, RuleFilter, RuleId, RuleState, Severity};
pub use silence::{NewSilence, Recurrence, Silence, SilenceChange, SilenceFilter, SilenceId, SilenceState};
pub use span::short;
pub(crate) use span::{minutes, seconds};
pub use told::{CALM, FLAPPING_WINDOW, Told};
pub use watched::{Levels, WatchedRule, WatchedRules};
pub use watchlist::{Room, Turn, Watchlist};
pub use windows::{Due, REACH, due, overlapping};
