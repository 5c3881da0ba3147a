//! The rules whose thresholds are watched while logs come in: those of which a count alone says whether they are breached.

use std::collections::HashMap;
use std::time::Duration;

use super::{Condition, ERROR_LOGS, Kind, Rule, RuleId, RuleState};
use crate::app::AppId;
use crate::log::Level;

/// How many rules are watched for an app. Further ones wait for the schedule.
const OF_AN_APP: usize = 100;
/// For how long one check of an app that stays breached is enough. The next one finds out what nobody else does: that the
/// first was lost, or came too early, or that its alert was resolved since.
const ENOUGH: Duration = Duration::from_secs(60);

/// A rule that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedRule {
    /// Its id.
    pub id: RuleId,
    /// Its name.
    pub name: String,
    /// The app that it is for; `None` is for each app by itself.
    pub app: Option<AppId>,
    /// What it looks for.
    pub condition: Condition,
}

impl WatchedRule {
    /// What is watched of a rule: nothing where more logs are no reason for an alert, or where their texts must be read.
    pub fn of(rule: Rule) -> Option<Self> {
        let (id, says) = (rule.id, rule.says);
        let is_watched = says.state == RuleState::Enabled
            && matches!(says.condition.kind, Kind::MoreThan(_))
            && says.condition.text.is_none();
        is_watched.then_some(Self { id, name: says.name, app: says.app, condition: says.condition })
    }

    /// For how long one check of an app that stays breached is enough.
    pub fn enough_for(&self) -> Duration {
        self.condition.window.min(ENOUGH)
    }

    /// Whether it is the one that the settings of the check set.
    pub fn is_of_the_settings(&self) -> bool {
        self.name == ERROR_LOGS
    }
}

/// All rules that are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedRules {
    for_each: Vec<WatchedRule>,
    own: HashMap<AppId, Vec<WatchedRule>>,
}

impl WatchedRules {
    /// Those that an app's logs are counted for.
    pub fn of(&self, app: AppId) -> impl Iterator<Item = &WatchedRule> {
        self.for_each.iter().chain(self.own.get(&app).into_iter().flatten()).take(OF_AN_APP)
    }

    /// The levels whose logs any of them counts.
    pub fn levels(&self) -> Levels {
        let all = self.for_each.iter().chain(self.own.values().flatten());
        all.fold(Levels::default(), |levels, rule| levels.and(rule.condition.level))
    }
}

impl FromIterator<WatchedRule> for WatchedRules {
    fn from_iter<T: IntoIterator<Item = WatchedRule>>(rules: T) -> Self {
        let mut watched = Self::default();
        for rule in rules {
            match rule.app {
                Some(app) => watched.own.entry(app).or_default().push(rule),
                None => watched.for_each.push(rule),
            }
        }
        watched
    }
}

/// A set of levels, a bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels(u8);

impl Levels {
    /// Every level.
    pub const ALL: Self = Self(0b111);

    /// With this level as well, or with every level.
    #[must_use]
    pub fn and(self, level: Option<Level>) -> Self {
        level.map_or(Self::ALL, |level| Self(self.0 | bit(level)))
    }

    /// Whether a level is among them.
    pub fn has(self, level: Level) -> bool {
        self.0 & bit(level) != 0
    }

    /// The bits.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// From [`Levels::bits`].
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }
}

fn bit(level: Level) -> u8 {
    match level {
        Level::Info => 0b001,
        Level::Warn => 0b010,
        Level::Error => 0b100,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::alert) fn watched(id: i64, level: Option<Level>, threshold: u64) -> WatchedRule {
        let window = Duration::from_secs(600);
        let condition = Condition { level, text: None, kind: Kind::MoreThan(threshold), window };
        WatchedRule { id: RuleId(id), name: format!("rule {id}"), app: None, condition }
    }

    #[test]
    fn an_app_has_the_rules_for_each_app_and_its_own() {
        let own = WatchedRule { app: Some(AppId(7)), ..watched(2, Some(Level::Warn), 5) };
        let rules: WatchedRules = [watched(1, Some(Level::Error), 100), own].into_iter().collect();
        let of = |app: i64| rules.of(AppId(app)).map(|rule| rule.id.0).collect::<Vec<_>>();
        assert_eq!((of(7), of(8)), (vec![1, 2], vec![1]));
        assert_eq!(Level::ALL.map(|level| rules.levels().has(level)), [false, true, true]);
        let many: WatchedRules = (0..200).map(|id| watched(id, None, 1)).collect();
        assert_eq!((many.of(AppId(7)).count(), many.levels()), (OF_AN_APP, Levels::ALL));
    }

    #[test]
    fn only_what_a_count_alone_judges_is_watched() {
        let at = chrono::DateTime::UNIX_EPOCH;
        let rule = |kind, text: Option<&str>, state| {
            let condition = Condition { kind, text: text.map(str::to_owned), ..watched(1, None, 1).condition };
            let (severity, every) = (super::super::Severity::Info, condition.window);
            let says = super::super::NewRule {
                name: ERROR_LOGS.to_owned(),
                app: None,
                condition,
                every,
                severity,
                resolve_after: 0,
                flapping_after: 0,
                channels: Vec::new(),
                state,
            };
            WatchedRule::of(Rule { id: RuleId(1), says, created_at: at, updated_at: at })
        };
        let found = rule(Kind::MoreThan(1), None, RuleState::Enabled).unwrap();
        assert!(found.is_of_the_settings() && !watched(1, None, 1).is_of_the_settings());
        assert_eq!(rule(Kind::MoreThan(1), None, RuleState::Disabled), None);
        assert_eq!(rule(Kind::MoreThan(1), Some("x"), RuleState::Enabled), None);
        assert_eq!(rule(Kind::Silence, None, RuleState::Enabled), None);
    }

    #[test]
    fn levels_are_what_their_bits_are() {
        for level in Level::ALL {
            let one = Levels::default().and(Some(level));
            assert_eq!((Levels::from_bits(one.bits()), one.has(level)), (one, true));
        }
        assert_eq!(
            Levels::ALL,
            Level::ALL.into_iter().fold(Levels::default(), |levels, level| levels.and(Some(level)))
        );
    }
}
