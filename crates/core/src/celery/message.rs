//! Task messages as they come from a queue.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::Value;
use serde_json::value::RawValue;

use super::envelope::{DeliveryInfo, Envelope, Headers, Properties, object, text, with_headers};
use super::signature::Workflow;
use super::{Arguments, Malformed, Priority, TaskId, body};
use crate::python::{Entries, Nan, Text, strict_json};

/// A task that came from a queue.
#[derive(Debug, Clone)]
pub struct TaskMessage {
    /// Its id.
    pub id: TaskId,
    /// The registered name.
    pub task: String,
    /// What it is called with.
    pub arguments: Arguments,
    /// How many attempts were made before this one.
    pub retries: u32,
    /// Not to be started earlier.
    pub eta: Option<DateTime<Utc>>,
    /// Not to be started any more from then on.
    pub expires: Option<DateTime<Utc>>,
    /// How long it may run, where the producer says so.
    pub limits: Limits,
    /// What becomes of its result.
    pub result: ResultPolicy,
    /// The first task of the workflow that it belongs to: itself, where it belongs to none.
    pub root_id: TaskId,
    /// The task that sent it.
    pub parent_id: Option<TaskId>,
    /// The group that it belongs to.
    pub group: Option<String>,
    /// Its place in the group.
    pub group_index: Option<i64>,
    /// The names and values that it is stamped with.
    pub stamps: Vec<(String, Box<RawValue>)>,
    /// The queue that it was sent to.
    pub queue: String,
    /// How urgent it is.
    pub priority: Priority,
    /// The `repr` of its arguments as the producer wrote them, where it did.
    reprs: (Option<String>, Option<String>),
    pub(super) workflow: Option<Box<Workflow>>,
    raw: String,
}

/// How long a task may run; `None` is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Ended then, whatever it does.
    pub hard: Option<Duration>,
    /// Told to end then.
    pub soft: Option<Duration>,
}

impl Limits {
    /// Both of them.
    pub const fn of(soft: Duration, hard: Duration) -> Self {
        Self { hard: Some(hard), soft: Some(soft) }
    }
}

/// The message of a task's next attempt.
#[derive(Debug, Clone)]
pub struct NextAttempt {
    /// As it lies on a list.
    pub message: String,
    /// The name that it will be in flight under.
    pub delivery_tag: String,
}

/// Whether anybody wants a task's result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResultPolicy {
    /// It is stored.
    #[default]
    Keep,
    /// It is dropped: the producer set `ignore_result`.
    Ignore,
}

impl TaskMessage {
    /// Reads a message as it lay on a list.
    ///
    /// An infinity in the body is read as `1e999`, the same number to Python; integers of any size and Celery's
    /// extended `__type__` values stay as they are.
    ///
    /// # Errors
    /// When it is not a protocol 2 task message with a JSON body, when a header has a type that Celery never gives it,
    /// or when there is a `NaN` in it, which JSON cannot say.
    pub fn decode(raw: &[u8]) -> Result<Self, Malformed> {
        let envelope = Envelope::read(raw)?;
        let headers = &envelope.headers;
        let Some(task) = headers.task else {
            return Err(match headers.id {
                Some(_) => Malformed::header("task", "text"),
                None => Malformed::ProtocolOne,
            });
        };
        let task = text(task).ok_or(Malformed::header("task", "text"))?.into_owned();
        let id = headers.text("id", headers.id)?.filter(|id| !id.is_empty());
        let id = TaskId(id.ok_or(Malformed::header("id", "text"))?);
        if envelope.properties.delivery_tag.and_then(text).is_none() {
            return Err(Malformed::Property { name: "delivery_tag", expected: "text" });
        }
        let queue = envelope.properties.queue()?;
        let (arguments, workflow) = envelope.contents()?;
        Ok(Self {
            task,
            arguments,
            workflow,
            queue,
            priority: envelope.properties.priority(),
            retries: headers.retries()?,
            eta: time("eta", headers.eta)?,
            expires: time("expires", headers.expires)?,
            limits: headers.limits()?,
            result: headers.result()?,
            root_id: headers.text("root_id", headers.root_id)?.map_or_else(|| id.clone(), TaskId),
            parent_id: headers.text("parent_id", headers.parent_id)?.map(TaskId),
            group: headers.text("group", headers.group)?,
            group_index: headers.group_index()?,
            stamps: headers.stamps()?,
            reprs: (shown("argsrepr", headers.argsrepr)?, shown("kwargsrepr", headers.kwargsrepr)?),
            id,
            raw: String::from_utf8_lossy(raw).into_owned(),
        })
    }

    /// The id that a message names, even where the rest of it cannot be read.
    pub fn id_of(raw: &[u8]) -> Option<TaskId> {
        let read =
            Envelope::read(raw).ok().and_then(|envelope| envelope.headers.id.and_then(text).map(Cow::into_owned));
        let found = || {
            let message: Value = serde_json::from_slice(raw).ok()?;
            Some(message.get("headers")?.get("id")?.as_str()?.to_owned())
        };
        read.or_else(found).map(TaskId)
    }

    /// `repr` of the positional arguments, in the producer's words where it has some: for people.
    pub fn args_repr(&self) -> String {
        self.reprs.0.clone().unwrap_or_else(|| self.arguments.args_repr())
    }

    /// `repr` of the named arguments likewise.
    pub fn kwargs_repr(&self) -> String {
        self.reprs.1.clone().unwrap_or_else(|| self.arguments.kwargs_repr())
    }

    /// The message of the next attempt: the same task, counted once more and not to be started before `eta`.
    pub fn retry(&self, eta: DateTime<Utc>) -> NextAttempt {
        let delivery_tag = uuid::Uuid::new_v4().to_string();
        let changes = [
            ("retries", (self.retries + 1).to_string()),
            ("eta", Value::from(eta.to_rfc3339_opts(SecondsFormat::Micros, false)).to_string()),
            ("parent_id", Value::from(self.id.as_str()).to_string()),
        ];
        // What was decoded is an object of objects, so it can be written again.
        let message = with_headers(&self.raw, &changes, &delivery_tag).unwrap_or_default();
        NextAttempt { message, delivery_tag }
    }
}

impl Headers<'_> {
    fn text(&self, name: &'static str, header: Option<&RawValue>) -> Result<Option<String>, Malformed> {
        let read = |raw| text(raw).map(Cow::into_owned).ok_or(Malformed::header(name, "text"));
        header.map(read).transpose()
    }

    fn retries(&self) -> Result<u32, Malformed> {
        let Some(retries) = self.retries else { return Ok(0) };
        retries.get().parse().ok().ok_or_else(|| Malformed::header("retries", "a whole number from 0 on"))
    }

    fn group_index(&self) -> Result<Option<i64>, Malformed> {
        let read =
            |raw: &RawValue| raw.get().parse().ok().ok_or_else(|| Malformed::header("group_index", "a whole number"));
        self.group_index.map(read).transpose()
    }

    fn result(&self) -> Result<ResultPolicy, Malformed> {
        match self.ignore_result.map(RawValue::get) {
            Some("true") => Ok(ResultPolicy::Ignore),
            Some("false") | None => Ok(ResultPolicy::Keep),
            Some(_) => Err(Malformed::header("ignore_result", "true or false")),
        }
    }

    fn limits(&self) -> Result<Limits, Malformed> {
        let Some(limits) = self.timelimit else { return Ok(Limits::default()) };
        let wrong = || Malformed::header("timelimit", "two numbers of seconds or null");
        let (hard, soft): (Option<f64>, Option<f64>) = serde_json::from_str(limits.get()).ok().ok_or_else(wrong)?;
        let limit = |seconds: Option<f64>| {
            // As in Celery, 0 is no limit.
            let seconds = seconds.filter(|seconds| *seconds != 0.0);
            seconds.map(|seconds| Duration::try_from_secs_f64(seconds).ok().ok_or_else(wrong)).transpose()
        };
        Ok(Limits { hard: limit(hard)?, soft: limit(soft)? })
    }

    fn stamps(&self) -> Result<Vec<(String, Box<RawValue>)>, Malformed> {
        let Some(stamps) = self.stamps.filter(|stamps| stamps.get() != "{}") else { return Ok(Vec::new()) };
        let stamps: Entries<'_> =
            serde_json::from_str(stamps.get()).ok().ok_or_else(|| Malformed::header("stamps", "an object"))?;
        let names: Vec<Cow<'_, str>> = self.stamped_headers.map_or(Ok(Vec::new()), |names| {
            serde_json::from_str(names.get()).ok().ok_or_else(|| Malformed::header("stamped_headers", "a list of text"))
        })?;
        let stamped = stamps.0.into_iter().filter(|(name, _)| names.contains(name));
        Ok(stamped.map(|(name, value)| (name.into_owned(), value.to_owned())).collect())
    }
}

impl Properties<'_> {
    // As in kombu, what is no number is the most urgent.
    fn priority(&self) -> Priority {
        self.priority.and_then(|raw| raw.get().parse().ok()).map(Priority::new).unwrap_or_default()
    }

    fn queue(&self) -> Result<String, Malformed> {
        let wrong =
            || Malformed::Property { name: "delivery_info", expected: "an object with exchange and routing_key" };
        let info = self.delivery_info.map(|info| object(&mut serde_json::Deserializer::from_str(info.get())));
        let info: DeliveryInfo<'_> = info.and_then(Result::ok).ok_or_else(wrong)?;
        info.routing_key.and_then(text).map(Cow::into_owned).ok_or_else(wrong)
    }
}

impl Envelope<'_> {
    fn contents(&self) -> Result<(Arguments, Option<Box<Workflow>>), Malformed> {
        match self.content_type.and_then(text).as_deref() {
            Some("application/json") => {}
            other => return Err(Malformed::ContentType(other.unwrap_or("none").to_owned())),
        }
        match self.content_encoding.map(|raw| text(raw).unwrap_or_default().to_ascii_lowercase()).as_deref() {
            // "binary" is what kombu calls a body that it compressed.
            None | Some("utf-8" | "utf8" | "us-ascii" | "ascii" | "binary") => {}
            Some(other) => return Err(Malformed::ContentEncoding(other.to_owned())),
        }
        let body = self.body.and_then(text).ok_or_else(|| Malformed::Body("must be text".to_owned()))?;
        let encoding = self.properties.body_encoding.map(|raw| text(raw).unwrap_or_default());
        let mut bytes = body::decode(body, encoding.as_deref())?;
        if let Some(method) = self.headers.compression {
            let method = text(method).ok_or(Malformed::header("compression", "text"))?;
            bytes = Cow::Owned(body::decompress(&bytes, &method)?);
        }
        let json = std::str::from_utf8(&bytes).map_err(|e| Malformed::Body(format!("is not UTF-8: {e}")))?;
        match contents(json) {
            Err(Malformed::Body(_)) if let Some(strict) = strict_json(json, Nan::Refused) => contents(&strict),
            contents => contents,
        }
    }
}

fn contents(json: &str) -> Result<(Arguments, Option<Box<Workflow>>), Malformed> {
    let shape = |e: &dyn std::fmt::Display| Malformed::Body(format!("is not [args, kwargs, embed] as JSON: {e}"));
    let (args, kwargs, embed): (&RawValue, &RawValue, Option<&RawValue>) =
        serde_json::from_str(json).map_err(|e| shape(&e))?;
    let arguments = Arguments::from_body(args, kwargs).map_err(|e| shape(&e))?;
    Ok((arguments, embed.map(Workflow::read).transpose()?.flatten().map(Box::new)))
}

// For people, so that a lone surrogate, which Python's text may hold, is no reason to refuse.
fn shown(name: &'static str, header: Option<&RawValue>) -> Result<Option<String>, Malformed> {
    let read = |raw| Text::of(raw).map(|text| text.into_shown().into_owned()).ok_or(Malformed::header(name, "text"));
    header.map(read).transpose()
}

fn time(name: &'static str, header: Option<&RawValue>) -> Result<Option<DateTime<Utc>>, Malformed> {
    let read = |raw| text(raw).and_then(|text| parse_time(&text)).ok_or(Malformed::header(name, "an ISO 8601 time"));
    header.map(read).transpose()
}

/// A time as Python's `isoformat` writes it. One without an offset is in the app's zone, which is UTC here.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let naive = |format: &str| NaiveDateTime::parse_from_str(text, format).ok().map(|time| time.and_utc());
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|time| time.and_utc());
    let offset =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    offset
        .map(|time| time.with_timezone(&Utc))
        .ok()
        .or_else(|| naive("%Y-%m-%dT%H:%M:%S%.f"))
        .or_else(|| naive("%Y-%m-%d %H:%M:%S%.f"))
        .or_else(day)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
