//! What people have been told of an alert, and what they are to be told next. Where something kept it from them, they are told
//! the difference afterwards, and nothing of what came and went meanwhile.

use chrono::TimeDelta;

use super::AlertEventKind;
use crate::notification::EventKind;

/// Within which time the changes of state of an alert are counted to see whether it flaps.
pub const FLAPPING_WINDOW: TimeDelta = TimeDelta::hours(6);
/// For how long an alert that flaps has to stay the same until it does no more.
pub const CALM: TimeDelta = TimeDelta::hours(1);

/// What people were told of an alert last, or what there is to tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// That it is over, or nothing yet.
    Over,
    /// That it is open.
    Open,
    /// That it opens and resolves again and again.
    Flapping,
}

impl Told {
    const ALL: [Self; 3] = [Self::Over, Self::Open, Self::Flapping];

    /// Its name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Over => "over",
            Self::Open => "open",
            Self::Flapping => "flapping",
        }
    }

    /// The one with exactly this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|told| told.as_str() == name)
    }

    /// What people are told when something happens to an alert that is so after it, where `self` is what they know.
    pub fn news(self, is: Self, happened: AlertEventKind) -> Option<EventKind> {
        match (self, is) {
            (Self::Over, Self::Over) | (Self::Flapping, Self::Flapping) => None,
            (Self::Over | Self::Open, Self::Flapping) => Some(EventKind::Flapping),
            (Self::Open | Self::Flapping, Self::Over) => Some(EventKind::Resolved),
            (Self::Over | Self::Flapping, Self::Open) if happened == AlertEventKind::Reopened => {
                Some(EventKind::Reopened)
            }
            (Self::Over | Self::Flapping, Self::Open) => Some(EventKind::Opened),
            (Self::Open, Self::Open) => match happened {
                AlertEventKind::Acknowledged => Some(EventKind::Acknowledged),
                AlertEventKind::Repeated => Some(EventKind::Repeated),
                AlertEventKind::Opened
                | AlertEventKind::Resolved
                | AlertEventKind::Reopened
                | AlertEventKind::Assigned
                | AlertEventKind::Flapping
                | AlertEventKind::Calmed
                | AlertEventKind::Silenced
                | AlertEventKind::Unsilenced => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_know_already_is_not_told_again() {
        use AlertEventKind::{Acknowledged, Assigned, Calmed, Flapping, Opened, Reopened, Resolved, Unsilenced};
        for (told, is, happened, news) in [
            (Told::Over, Told::Open, Opened, Some(EventKind::Opened)),
            (Told::Open, Told::Open, Acknowledged, Some(EventKind::Acknowledged)),
            (Told::Open, Told::Open, Assigned, None),
            (Told::Open, Told::Over, Resolved, Some(EventKind::Resolved)),
            (Told::Over, Told::Open, Reopened, Some(EventKind::Reopened)),
            // It was raised in a silence.
            (Told::Over, Told::Open, Acknowledged, Some(EventKind::Opened)),
            (Told::Over, Told::Over, Resolved, None),
            (Told::Over, Told::Open, Unsilenced, Some(EventKind::Opened)),
            (Told::Over, Told::Over, Unsilenced, None),
            (Told::Open, Told::Over, Unsilenced, Some(EventKind::Resolved)),
            (Told::Open, Told::Open, Unsilenced, None),
            (Told::Over, Told::Flapping, Flapping, Some(EventKind::Flapping)),
            (Told::Flapping, Told::Flapping, Resolved, None),
            (Told::Flapping, Told::Over, Calmed, Some(EventKind::Resolved)),
            (Told::Flapping, Told::Open, Calmed, Some(EventKind::Opened)),
            // It began to flap, and calmed down, in a silence.
            (Told::Over, Told::Over, Unsilenced, None),
        ] {
            assert_eq!(told.news(is, happened), news, "{told:?} {is:?} {happened:?}");
        }
        assert!(Told::ALL.iter().all(|told| Told::from_name(told.as_str()) == Some(*told)));
    }
}
