//! Raises an alert for each app with too many errors. Twice: the second finds the open alert and raises none.

use logmon_core::app::AppId;
use logmon_core::log::Level;
use logmon_core::tasks::{CheckErrorLogs, NoInput};
use logmon_store::db::alerts::{self, Raised};
use logmon_store::db::verify::count_what_others_wrote;
use logmon_store::db::{log_counts, rules};

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for CheckErrorLogs {
    fn run(context: &Context, _: NoInput) -> Result<u64, Failure> {
        let now = context.clock.now();
        let mut conn = context.database.get()?;
        rules::apply(&mut conn, &context.check, now)?;
        let Some(rule) = rules::error_logs(&mut conn, &context.check)? else { return Ok(0) };
        let since = rule.window_start(now);
        count_what_others_wrote(&mut conn, &(log_counts::minute(since)..now))?;
        context.may_go_on()?;
        let bounds = log_counts::bounds_since(&mut conn, Level::Error, since)?;
        // Most apps are far from the threshold, whatever the minute holds that the window begins in.
        let suspects: Vec<AppId> =
            bounds.iter().filter(|bound| !rule.is_calm_up_to(bound.most)).map(|bound| bound.app).collect();
        let told = alerts::apps_with_open(&mut conn, &suspects)?;
        let mut raised = 0;
        for app in suspects.into_iter().filter(|app| !told.contains(app)) {
            context.may_go_on()?;
            let count = log_counts::exactly_since(&mut conn, app, Level::Error, since)?;
            if rule.is_calm_up_to(count) {
                continue;
            }
            if let Raised::New(alert) = alerts::raise(&mut conn, app, &rule.content(count), now)? {
                log::info!(app_id = app.0, alert_id = alert.0, count; "raised an alert");
                raised += 1;
            }
        }
        Ok(raised)
    }
}
