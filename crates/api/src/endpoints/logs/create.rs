//! POST to `/api/logs/`: taking logs in.

use std::collections::HashSet;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use logmon_core::app::AppId;
use logmon_core::celery::TaskId;
use logmon_core::field::FieldErrors;
use logmon_core::log::{Arrival, Draft, Extra, Level, Log, NewLog, Record};
use logmon_core::tasks::{IngestInput, IngestLogs, KeyOrigin};
use logmon_store::broker::{Admission, BatchKey, BrokerError};
use logmon_store::db::logs;
use logmon_store::db::writer::{Answer, Earlier, Key, Stored};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::LogView;
use super::document::{CreateParameters, Lines, NewLogBody, NewLogOrBatch, Unusable};
use crate::body::{Checked, Content, Incoming};
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::idempotency::{self, Known};
use crate::preference::Preference;
use crate::state::State;

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub struct BatchView {
    /// How many records were stored.
    accepted: usize,
    /// How many were stored before, by their `event_id`.
    duplicate: usize,
    rejected: Vec<Rejected>,
}

/// A batch that waits to be stored.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueuedBatch)]
pub(super) struct QueuedView<'a> {
    /// The task that will store it.
    #[schema(value_type = String)]
    task_id: &'a TaskId,
    /// How many records wait.
    accepted: usize,
    #[schema(value_type = Vec<Rejected>)]
    rejected: &'a [Rejected],
}

/// A record of a batch that was not stored.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Rejected {
    /// Its place in the batch, from 0.
    index: usize,
    /// What is wrong with it, field by field.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    errors: FieldErrors,
}

/// Stores one log, or each right one of a batch; answers when they are committed.
///
/// With an Idempotency-Key a request that was stored before is answered as it was then, and so is a log whose `event_id`
/// is known.
#[utoipa::path(
    post,
    path = "/api/logs/",
    params(CreateParameters),
    request_body(content(
        (NewLogOrBatch = "application/json"),
        (Lines = "application/x-ndjson"),
        (NewLogBody = "application/x-www-form-urlencoded"),
        (NewLogBody = "multipart/form-data")
    )),
    responses(
        (status = 201, description = "One log, stored.", body = LogView, headers(("Idempotent-Replayed" = Option<bool>, description = "It was stored before."))),
        (status = 200, description = "A batch, stored but for what is rejected.", body = BatchView, headers(("Idempotent-Replayed" = Option<bool>, description = "It was stored before."))),
        (status = 202, description = "Queued: its task says what came of it.", body = QueuedView<'static>, headers(("Location" = String, description = "Where its result will be."), ("Preference-Applied" = String, description = "`respond-async`."))),
        (status = 422, description = "No record is good, or the key had another body.", body = Unusable)
    )
)]
pub async fn create(request: HttpRequest, payload: Payload, state: Data<State>) -> Result<HttpResponse, ApiError> {
    let mut answer = Preference::of(&request);
    // Only what has a key or is queued needs it; of a small body it costs as much as storing it.
    let hashed = answer == Preference::Queued || idempotency::is_keyed(&request);
    let Incoming { hash, content } = Incoming::read(&request, payload, &state, hashed.then(Sha256::new)).await?;
    let arrival = state.arrival();
    let key = idempotency::key_of(&request, hash, arrival.at)?;
    if let Some(key) = &key {
        match idempotency::asked_before(&state, key, answer).await? {
            Known::Answered(replayed) => return Ok(replayed),
            Known::Queued => answer = Preference::Queued,
            Known::Unknown => {}
        }
    }
    match (content, answer) {
        (Content::Whole(body), Preference::Stored) => {
            let draft = Draft::from_fields(&body.parse(&request).await?.fields()?);
            store_one(&state, draft, key, &arrival).await
        }
        (Content::Whole(body), Preference::Queued) => {
            let draft = Draft::from_fields(&body.parse(&request).await?.fields()?);
            Batch::of_one(&state, draft, &arrival).await?.queue(&state, key, hash, arrival.at).await
        }
        (Content::Batch(records), Preference::Stored) => {
            Batch::resolve(&state, records, &arrival).await?.store(&state, key).await
        }
        (Content::Batch(records), Preference::Queued) => {
            Batch::resolve(&state, records, &arrival).await?.queue(&state, key, hash, arrival.at).await
        }
    }
}

async fn store_one(state: &State, draft: Draft, key: Option<Key>, arrival: &Arrival) -> Result<HttpResponse, ApiError> {
    let known = state.known_apps(draft.app().as_slice()).await?;
    let record = new_log(state, draft, &known)?.arrived(arrival);
    let (app, created_at, level) = (record.app, record.created_at, record.level.as_str().to_owned());
    let (message, extra) = (record.message.clone(), record.extra.clone());
    let answer = move |stored: &[Stored]| {
        let (id, created_at, extra) = match stored.first() {
            Some(Stored::Yes(id)) => (*id, created_at, extra.as_deref().cloned().unwrap_or_default()),
            // Of a log that is gone meanwhile, what is known of it.
            Some(Stored::Before(earlier)) => (earlier.id, earlier.created_at, Extra::default()),
            refused => {
                let errors = errors_of(app, refused.unwrap_or(&Stored::Refused));
                return answer_of(StatusCode::BAD_REQUEST, &errors);
            }
        };
        let (level, message) = (level.clone(), message.clone());
        answer_of(StatusCode::CREATED, &LogView::from(Log { id, app, level, message, created_at, extra }))
    };
    let stored = match store(state, vec![record], key, &answer).await? {
        Outcome::Now(stored) => stored,
        Outcome::Replayed(response) => return Ok(response),
    };
    let (id, created_at) = match stored.first().copied() {
        Some(Stored::Before(Earlier { id, created_at })) => (id, created_at),
        Some(Stored::TooLarge) => return Err(ApiError::detail(ErrorCode::TooLarge, TOO_LARGE)),
        _ => return Ok(idempotency::respond(answer(&stored))),
    };
    let first = state.database(move |conn| logs::get(conn, id, created_at)).await?;
    let view = first.map(|log| answer_of(StatusCode::CREATED, &LogView::from(log)));
    Ok(idempotency::respond_again(view.unwrap_or_else(|| answer(&stored))))
}

fn new_log(state: &State, draft: Draft, known: &HashSet<AppId>) -> Result<NewLog, FieldErrors> {
    draft.resolve(|app| known.contains(&app)).inspect_err(|_| {
        state.metrics.rejected.inc();
    })
}

/// What became of a request whose records are right.
enum Outcome {
    /// This, of each record.
    Now(Vec<Stored>),
    /// It was stored before, and is answered as it was then.
    Replayed(HttpResponse),
}

/// Stores records; with a key, their answer is stored with them.
async fn store(
    state: &State,
    records: Vec<Record>,
    key: Option<Key>,
    answer: &(impl Fn(&[Stored]) -> Answer + Clone + Send + 'static),
) -> Result<Outcome, ApiError> {
    let apps: Vec<(AppId, Level)> = records.iter().map(|record| (record.app, record.level)).collect();
    let stored = match key {
        None => state.store(records).await?,
        Some(key) => match state.store_once(key.clone(), records, Box::new(answer.clone())).await? {
            Some(stored) => stored,
            // The same request came twice at the same time, and the other one was first.
            None => {
                let replayed = idempotency::replay(state, &key).await?;
                let missing = || ApiError::internal("a key that is taken and not there");
                return replayed.map(Outcome::Replayed).ok_or_else(missing);
            }
        },
    };
    let mut tally = state.watch.tally();
    for ((app, level), stored) in apps.into_iter().zip(&stored) {
        match stored {
            Stored::Yes(_) => state.metrics.accepted.inc(),
            Stored::Before(_) => state.metrics.duplicate.inc(),
            Stored::UnknownApp | Stored::Refused | Stored::TooLarge => state.metrics.rejected.inc(),
        };
        match stored {
            Stored::Yes(_) => tally.add(app, level),
            Stored::UnknownApp => state.forget_app(app),
            Stored::Before(_) | Stored::Refused | Stored::TooLarge => {}
        }
    }
    state.watch.stored(&tally);
    Ok(Outcome::Now(stored))
}

/// A batch whose records were looked at.
struct Batch {
    good: Vec<Record>,
    /// Where in the batch each good record stands.
    places: Vec<usize>,
    rejected: Vec<Rejected>,
}

impl Batch {
    async fn resolve(state: &State, records: Vec<Checked>, arrival: &Arrival) -> Result<Self, ApiError> {
        let mut wanted: Vec<AppId> = records.iter().flatten().filter_map(Draft::app).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let known = state.known_apps(&wanted).await?;
        let mut batch = Self { good: Vec::with_capacity(records.len()), places: Vec::new(), rejected: Vec::new() };
        for (index, checked) in records.into_iter().enumerate() {
            match checked.and_then(|draft| draft.resolve(|app| known.contains(&app))) {
                Ok(log) => {
                    batch.places.push(index);
                    batch.good.push(log.arrived(arrival));
                }
                Err(errors) => batch.rejected.push(Rejected { index, errors }),
            }
        }
        state.metrics.rejected.inc_by(u64::try_from(batch.rejected.len()).unwrap_or(u64::MAX));
        Ok(batch)
    }

    async fn of_one(state: &State, draft: Draft, arrival: &Arrival) -> Result<Self, ApiError> {
        let known = state.known_apps(draft.app().as_slice()).await?;
        let log = new_log(state, draft, &known)?;
        Ok(Self { good: vec![log.arrived(arrival)], places: vec![0], rejected: Vec::new() })
    }

    /// Puts the good records on the queue of the task that stores them, once in effect.
    async fn queue(
        self,
        state: &State,
        key: Option<Key>,
        hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<HttpResponse, ApiError> {
        let Self { good, rejected, .. } = self;
        if good.is_empty() {
            return Ok(idempotency::respond(batch_answer(0, 0, rejected)));
        }
        let (task_id, accepted) = (TaskId::random(), good.len());
        let view =
            |task_id: &TaskId| answer_of(StatusCode::ACCEPTED, &QueuedView { task_id, accepted, rejected: &rejected });
        let (name, origin, answer) = match &key {
            Some(key) => (key.key.clone(), key.origin, Some(view(&task_id).body)),
            None => (format!("batch:{task_id}"), KeyOrigin::Batch, None),
        };
        let input = IngestInput { key: name, origin, body_hash: hash.to_vec(), records: good, answer };
        let (id, bounds) = (task_id.clone(), state.ingest_bounds);
        let admission = state
            .broker(move |broker| {
                let task = IngestLogs::queued(id, &input).map_err(|e| BrokerError::Unavailable(e.to_string()))?;
                let key = key.map(|key| BatchKey { key: key.key, body_hash: key.body_hash });
                broker.enqueue_batch(&task, key.as_ref(), bounds, now)
            })
            .await?;
        match admission {
            Admission::Queued => {
                state.metrics.queued.inc_by(u64::try_from(accepted).unwrap_or(u64::MAX));
                Ok(idempotency::respond(view(&task_id)))
            }
            Admission::Before(queued) if queued.body_hash == hash => {
                Ok(idempotency::respond_again(view(&queued.task_id)))
            }
            Admission::Before(_) => Err(idempotency::key_reused()),
            Admission::Full => Err(ApiError::unavailable("too many batches are waiting to be stored")),
        }
    }

    async fn store(self, state: &State, key: Option<Key>) -> Result<HttpResponse, ApiError> {
        let Self { good, places, rejected } = self;
        if good.is_empty() {
            return Ok(idempotency::respond(batch_answer(0, 0, rejected)));
        }
        let apps: Vec<AppId> = good.iter().map(|record| record.app).collect();
        let answer = move |stored: &[Stored]| {
            let mut rejected = rejected.clone();
            for ((index, app), stored) in places.iter().zip(&apps).zip(stored) {
                if matches!(stored, Stored::UnknownApp | Stored::Refused | Stored::TooLarge) {
                    rejected.push(Rejected { index: *index, errors: errors_of(*app, stored) });
                }
            }
            rejected.sort_by_key(|rejected| rejected.index);
            let accepted = stored.iter().filter(|stored| matches!(stored, Stored::Yes(_))).count();
            let duplicate = stored.iter().filter(|stored| matches!(stored, Stored::Before(_))).count();
            batch_answer(accepted, duplicate, rejected)
        };
        Ok(match store(state, good, key, &answer).await? {
            Outcome::Now(stored) => idempotency::respond(answer(&stored)),
            Outcome::Replayed(response) => response,
        })
    }
}

fn batch_answer(accepted: usize, duplicate: usize, rejected: Vec<Rejected>) -> Answer {
    let nothing_usable = accepted + duplicate == 0 && !rejected.is_empty();
    let status = if nothing_usable { ErrorCode::NothingUsable.status() } else { StatusCode::OK };
    answer_of(status, &BatchView { accepted, duplicate, rejected })
}

const TOO_LARGE: &str = "The record is larger than what the database takes at once.";

fn answer_of(status: StatusCode, view: &impl Serialize) -> Answer {
    // Numbers and text always serialise.
    Answer { status: status.as_u16(), body: serde_json::to_string(view).unwrap_or_default() }
}

fn errors_of(app: AppId, stored: &Stored) -> FieldErrors {
    match stored {
        Stored::UnknownApp => FieldErrors::one("app", format!("Invalid pk \"{}\" - object does not exist.", app.0)),
        Stored::TooLarge => FieldErrors::non_field(TOO_LARGE),
        Stored::Yes(_) | Stored::Before(_) | Stored::Refused => {
            FieldErrors::non_field("The database does not take this record.")
        }
    }
}
