//! `/api/schedules/`: the entries of the schedule, what came of each last, and whether somebody sees to them.

use actix_web::Responder;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use logmon_core::celery::{Status, TaskId};
use logmon_core::schedule::SlotState;
use logmon_store::db::schedule_slots::{self, Slot};
use logmon_store::db::schedules::{self, Entry};
use logmon_store::db::{Connection, DbError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::state::State;

/// An entry of the schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
struct ScheduleView {
    /// Its name.
    entry: String,
    #[schema(example = "every 10m")]
    schedule: String,
    /// The zone that it is read in.
    #[schema(example = "UTC")]
    zone: String,
    /// The last moment that it was due.
    #[schema(format = DateTime)]
    last_slot: Option<String>,
    /// What became of that: `claimed` while it waits, `pushed`, or `skipped`.
    state: Option<&'static str>,
    /// When its task was put on the queue.
    #[schema(format = DateTime)]
    pushed_at: Option<String>,
    /// That task.
    #[schema(value_type = Option<String>)]
    task_id: Option<TaskId>,
    /// The status of its result; `null` also while Redis is away.
    #[schema(value_type = Option<String>)]
    status: Option<Status>,
    /// When it is due next.
    #[schema(format = DateTime)]
    next_slot: Option<String>,
    /// Whether a slot has not been pushed 30 s after its moment.
    late: bool,
    /// How many slots of the past day were skipped.
    skipped: u64,
}

/// Every entry that a beat watches, or watched before it went away, by name. It needs no Redis but for the status.
#[utoipa::path(
    get,
    path = "/api/schedules/",
    responses((status = 200, description = "Every entry.", body = [ScheduleView]))
)]
pub async fn list(state: Data<State>) -> Result<impl Responder, ApiError> {
    let mut views = state.database(read).await?;
    let ids: Vec<Option<TaskId>> = views.iter().map(|view| view.task_id.clone()).collect();
    let statuses = state.broker(move |broker| {
        let status = |id: Option<TaskId>| id.map(|id| broker.result(&id).map(|result| result.status)).transpose();
        ids.into_iter().map(status).collect::<Result<Vec<_>, _>>()
    });
    for (view, status) in views.iter_mut().zip(statuses.await.unwrap_or_default()) {
        view.status = status;
    }
    Ok(Json(views))
}

fn read(conn: &mut Connection) -> Result<Vec<ScheduleView>, DbError> {
    let found = schedules::list(conn)?;
    let mut views = Vec::new();
    for entry in found.entries {
        let newest = schedule_slots::newest(conn, &entry.name)?;
        let skipped = schedule_slots::skipped_since(conn, &entry.name, found.now - Duration::days(1))?;
        views.push(view(entry, newest.as_ref(), skipped, found.now));
    }
    Ok(views)
}

fn view(entry: Entry, newest: Option<&Slot>, skipped: u64, now: DateTime<Utc>) -> ScheduleView {
    let has_task = newest.filter(|slot| slot.state != SlotState::Skipped);
    ScheduleView {
        last_slot: newest.map(|slot| text(slot.slot)),
        state: newest.map(|slot| slot.state.as_str()),
        pushed_at: newest.and_then(|slot| slot.pushed_at).map(text),
        task_id: has_task.map(|slot| TaskId::of_slot(&entry.name, slot.slot)),
        status: None,
        next_slot: entry.progress.schedule.as_ref().and_then(|schedule| schedule.next(now)).map(text),
        late: entry.progress.is_late(now),
        skipped,
        entry: entry.name,
        schedule: entry.schedule,
        zone: entry.zone,
    }
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
