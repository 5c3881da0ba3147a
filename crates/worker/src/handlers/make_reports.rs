//! Makes the reports of a day. Twice: a revision is kept once, in the transaction that tells it, and the second finds it there.

use std::collections::HashMap;
use std::time::Duration;

use chrono::NaiveDate;
use logmon_core::report::{Day, compose};
use logmon_core::tasks::{DispatchNotifications, MakeReports, NoInput, ReportInput, Task as _};
use logmon_store::db::Connection;
use logmon_store::db::reports::{self, Budget, Looked, NewReport};
use logmon_store::db::subscribers::{self, Subscriber};

use crate::context::Context;
use crate::registry::{Failure, Handle};

/// How much is spent on the patterns of a report.
const BUDGET: Budget = Budget { apps: 50, logs: 1_000, deadline: Duration::from_secs(2) };
/// How long a revision stands at least. Less than the hour after which days are looked at again, so that it is not found too young
/// for a second's sake.
const STANDS: Duration = Duration::from_mins(55);

impl Handle for MakeReports {
    fn run(context: &Context, input: ReportInput) -> Result<u64, Failure> {
        context.may_go_on()?;
        let mut conn = context.database.get()?;
        let mut maker = Maker { context, conn: &mut conn, looked: HashMap::new(), made: 0 };
        let subscribers = subscribers::enabled(maker.conn)?;
        if let Some(date) = input.date {
            maker.first(&subscribers, date)?;
        }
        maker.revise(&subscribers)?;
        if maker.made > 0 {
            let task = DispatchNotifications::call(&NoInput {}).map_err(|e| Failure::BadArguments(e.to_string()))?;
            context.broker.enqueue(&task)?;
        }
        Ok(maker.made)
    }
}

/// Has the reports of a day made that was summed up, or those revised that have changed; does nothing where nobody wants any.
pub(super) fn call(context: &Context, conn: &mut Connection, date: Option<NaiveDate>) -> Result<(), Failure> {
    if subscribers::enabled(conn)?.is_empty() {
        return Ok(());
    }
    let task = MakeReports::call(&ReportInput { date }).map_err(|e| Failure::BadArguments(e.to_string()))?;
    Ok(context.broker.enqueue(&task)?)
}

struct Maker<'a> {
    context: &'a Context,
    conn: &'a mut Connection,
    looked: HashMap<NaiveDate, Looked>,
    made: u64,
}

impl Maker<'_> {
    /// The first report of a day for all who have none, and who were there before it was over.
    fn first(&mut self, subscribers: &[Subscriber], date: NaiveDate) -> Result<(), Failure> {
        let end = self.day(date).range().end;
        if end > self.context.clock.now() {
            return Ok(());
        }
        for subscriber in subscribers.iter().filter(|subscriber| subscriber.created_at < end) {
            self.context.may_go_on()?;
            if reports::newest(self.conn, subscriber.id, date)?.is_none() {
                self.make(subscriber, date)?;
            }
        }
        Ok(())
    }

    /// A further revision of every report whose day has changed.
    fn revise(&mut self, subscribers: &[Subscriber]) -> Result<(), Failure> {
        let now = self.context.clock.now();
        let since = (now - self.context.retention).with_timezone(&self.context.zone).date_naive();
        for (id, date) in reports::outdated(self.conn, since, now - STANDS)? {
            self.context.may_go_on()?;
            if let Some(subscriber) = subscribers.iter().find(|subscriber| subscriber.id == id) {
                self.make(subscriber, date)?;
            }
        }
        Ok(())
    }

    fn day(&self, date: NaiveDate) -> Day {
        Day { date, zone: self.context.zone }
    }

    fn make(&mut self, subscriber: &Subscriber, date: NaiveDate) -> Result<(), Failure> {
        let (context, day, scope) = (self.context, self.day(date), &subscriber.says.scope);
        // Before anything is read: what is replaced meanwhile is seen the next time.
        let Some(summary_ids) = reports::summary_ids(self.conn, date)? else { return Ok(()) };
        let before = reports::newest(self.conn, subscriber.id, date)?;
        let mut material = reports::gather(self.conn, day, scope)?;
        let looked = self.looked.entry(date).or_default();
        reports::add_patterns(self.conn, day, &mut material, BUDGET, looked, || context.may_go_on())?;
        let report = compose(day, scope, material, before.as_ref().map(|(_, report)| report));
        if let Some((kept, _)) = before
            && report.changes.is_empty()
        {
            return Ok(reports::confirm(self.conn, kept.id, summary_ids)?);
        }
        let language = subscriber.says.language.unwrap_or(context.channels.language());
        let new = NewReport { subscriber, report: &report, summary_ids, language };
        self.made += u64::from(reports::keep(self.conn, &new, context.clock.now())?);
        Ok(())
    }
}
