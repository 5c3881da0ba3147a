//! What an alert is, and what people know of it.

use diesel::prelude::*;
use logmon_core::alert::{AlertId, RuleId, SilenceId, Told};
use logmon_core::app::AppId;

use super::super::schema::core_alert;
use super::super::{Connection, DbError};

/// What an alert is now, whatever the transaction saw when it began, and what people know of it. Its row is locked.
pub(super) struct Known {
    pub(super) id: AlertId,
    pub(super) app: AppId,
    pub(super) rule: Option<RuleId>,
    pub(super) is_flapping: bool,
    is_resolved: bool,
    pub(super) told: Told,
    pub(super) silenced_by: Option<SilenceId>,
}

impl Known {
    pub(super) fn lock(conn: &mut Connection, id: AlertId) -> Result<Option<Self>, DbError> {
        type Row = (i64, Option<i64>, bool, bool, String, Option<i64>);
        let row: Option<Row> = core_alert::table
            .find(id.0)
            .select((
                core_alert::app_id,
                core_alert::rule_id,
                core_alert::is_resolved,
                core_alert::is_flapping,
                core_alert::told,
                core_alert::silenced_by,
            ))
            .for_update()
            .first(conn)
            .optional()?;
        Ok(row.map(|(app, rule, is_resolved, is_flapping, told, silenced_by)| Self {
            id,
            app: AppId(app),
            rule: rule.map(RuleId),
            is_flapping,
            is_resolved,
            told: Told::from_name(&told).unwrap_or(Told::Open),
            silenced_by: silenced_by.map(SilenceId),
        }))
    }

    /// What there is to tell of it.
    pub(super) fn is(&self) -> Told {
        match (self.is_flapping, self.is_resolved) {
            (true, _) => Told::Flapping,
            (false, true) => Told::Over,
            (false, false) => Told::Open,
        }
    }
}
