//! Publishes what happens to this worker and its tasks, on a thread of its own: heartbeats always, tasks while somebody
//! asked for them. An event that finds no room or no Redis is dropped and counted, for no task waits for its listeners.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use logmon_core::celery::event::{self, HEARTBEAT_SECONDS, Published, WorkerStatus};
use logmon_core::celery::{Exception, LamportClock, NodeName, Outcome, TaskMessage};
use logmon_core::clock::Clock;
use logmon_core::worker::PROGRAM;
use logmon_store::broker::Broker;
use serde_json::value::RawValue;

use super::{Event, Events};

/// How many events may wait to be published.
const ROOM: usize = 10_000;

/// How many events of tasks go into one message: enough for 40,000 tasks a second, and small for whoever reads it.
const AT_ONCE: usize = 200;

/// What a task that is ended was told, for those who know processes.
const SIGTERM: u32 = 15;

/// Publishes events. Clones share it.
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
    notes: SyncSender<Note>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    tasks: AtomicBool,
    dropped: AtomicU64,
    ending: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Note {
    Task(Box<event::Event>, DateTime<Utc>),
    Heartbeat,
    End,
}

/// Whether events of tasks are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskEvents {
    /// They are.
    On,
    /// They are not.
    Off,
}

/// How long a worker that ends publishes what is still to be published.
const LAST: Duration = Duration::from_secs(2);

/// On whose behalf events are published.
pub struct Origin {
    /// Redis.
    pub broker: Broker,
    /// The worker's name.
    pub node: NodeName,
    /// Its logical clock.
    pub lamport: Arc<LamportClock>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How many tasks run, and how many were begun.
    pub counts: Box<dyn Fn() -> (usize, u64) + Send>,
}

impl Publisher {
    /// Starts to publish: that the worker is there, and from then on that it is alive.
    pub fn start(origin: Origin, tasks: TaskEvents) -> Self {
        let (notes, heard) = sync_channel(ROOM);
        let shared = Arc::new(Shared {
            clock: Arc::clone(&origin.clock),
            tasks: AtomicBool::new(tasks == TaskEvents::On),
            dropped: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            thread: Mutex::default(),
        });
        let publishing = Publishing { origin, shared: Arc::clone(&shared), said: 0 };
        let thread = std::thread::spawn(move || publishing.run(&heard));
        *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Self { shared, notes }
    }

    /// Publishes events of tasks from now on, or no more; says whether it did before.
    pub fn switch(&self, tasks: TaskEvents) -> TaskEvents {
        let before = self.shared.tasks.swap(tasks == TaskEvents::On, Ordering::Relaxed);
        if before { TaskEvents::On } else { TaskEvents::Off }
    }

    /// How many events were dropped.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Publishes a heartbeat at once.
    pub fn heartbeat(&self) {
        self.note(Note::Heartbeat);
    }

    /// Publishes what is still to be published, as long as Redis takes it, and that the worker ends.
    pub fn end(&self) {
        self.shared.ending.store(true, Ordering::Relaxed);
        // Only to wake the thread: where there is no room for it, that is awake.
        let _awake = self.notes.try_send(Note::End);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the loop that publishes events panicked");
        }
    }

    fn note(&self, note: Note) {
        if self.notes.try_send(note).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Events for Publisher {
    fn tell(&self, message: &TaskMessage, event: Event<'_>) {
        if self.shared.tasks.load(Ordering::Relaxed) {
            self.note(Note::Task(Box::new(of_task(message, event)), self.shared.clock.now()));
        }
    }
}

fn of_task(message: &TaskMessage, event: Event<'_>) -> event::Event {
    let uuid = message.id.clone();
    let (outcome, runtime) = match event {
        Event::Received => return event::Event::received(message),
        Event::Started => return event::Event::TaskStarted { uuid },
        Event::PutBack => return event::Event::TaskRejected { uuid, requeue: true },
        Event::Ended { outcome, runtime } => (outcome, runtime),
    };
    match outcome {
        Outcome::Success(value) => {
            let result = shown(value);
            event::Event::TaskSucceeded { uuid, result, runtime: runtime.as_secs_f64() }
        }
        Outcome::Failure(e) => event::Event::TaskFailed { uuid, exception: e.repr(), traceback: None },
        Outcome::Retry(e) => event::Event::TaskRetried { uuid, exception: e.repr(), traceback: None },
        Outcome::Revoked(why) => {
            let (terminated, expired) = (*why == Exception::terminated(), *why == Exception::expired());
            event::Event::TaskRevoked { uuid, terminated, signum: terminated.then_some(SIGTERM), expired }
        }
    }
}

// As much of a result as Celery shows.
fn shown(value: &RawValue) -> String {
    const MAX: usize = 1024;
    let repr = logmon_core::python::repr(value);
    if repr.chars().count() <= MAX { repr } else { repr.chars().take(MAX - 3).chain("...".chars()).collect() }
}

struct Publishing {
    origin: Origin,
    shared: Arc<Shared>,
    /// How many dropped events the log knows of.
    said: u64,
}

impl Publishing {
    fn run(mut self, notes: &Receiver<Note>) {
        self.status(event::Event::WorkerOnline);
        let interval = Duration::from_secs_f64(HEARTBEAT_SECONDS);
        let mut due = Instant::now() + interval;
        while !self.shared.ending.load(Ordering::Relaxed) {
            let first = notes.recv_timeout(due.saturating_duration_since(Instant::now()));
            if Instant::now() >= due {
                due = Instant::now() + interval;
                self.status(event::Event::WorkerHeartbeat);
                self.say_dropped();
            }
            match first {
                Ok(note) => drop(self.take(note, notes)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let end = Instant::now() + LAST;
        while let Ok(note) = notes.try_recv()
            && Instant::now() < end
            && self.take(note, notes).is_ok()
        {}
        self.status(event::Event::WorkerOffline);
    }

    // Publishes a note, and with an event of a task those that wait behind it.
    fn take(&self, note: Note, notes: &Receiver<Note>) -> Result<(), Dropped> {
        let mut events = Vec::new();
        let mut next = Ok(note);
        while let Ok(Note::Task(event, at)) = next {
            events.push((*event, at));
            next = if events.len() < AT_ONCE { notes.try_recv() } else { Err(TryRecvError::Empty) };
        }
        let count = events.len();
        if count > 0 {
            self.publish(self.publisher().tasks(events), count)?;
        }
        if let Ok(Note::Heartbeat) = next {
            self.status(event::Event::WorkerHeartbeat);
        }
        Ok(())
    }

    fn publisher(&self) -> event::Publisher<'_> {
        event::Publisher { node: &self.origin.node, pid: std::process::id(), clock: &self.origin.lamport }
    }

    fn status(&self, event: fn(WorkerStatus) -> event::Event) {
        let (active, processed) = (self.origin.counts)();
        let status = WorkerStatus {
            freq: HEARTBEAT_SECONDS,
            active,
            processed,
            loadavg: crate::machine::load(),
            sw_ident: PROGRAM.to_owned(),
            sw_ver: env!("CARGO_PKG_VERSION").to_owned(),
            sw_sys: "Linux".to_owned(),
        };
        // One that is dropped is counted; the next one comes soon.
        let _counted = self.publish(self.publisher().worker(event(status), self.origin.clock.now()), 1);
    }

    fn publish(&self, message: serde_json::Result<Published>, events: usize) -> Result<(), Dropped> {
        let published = message
            .map_err(|e| e.to_string())
            .and_then(|message| self.origin.broker.publish(&[message]).map_err(|e| e.to_string()));
        published.map_err(|error| {
            // The loops that cannot do without Redis say that it is away.
            log::debug!("events dropped: {error}");
            self.shared.dropped.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
            Dropped
        })
    }

    fn say_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.said {
            log::warn!(count = dropped - self.said; "events were dropped: Redis takes none, or not so many");
            self.said = dropped;
        }
    }
}

/// Events were dropped, and counted.
struct Dropped;

#[cfg(test)]
mod tests {
    use logmon_core::celery::{Arguments, NewTask};

    use super::*;

    #[test]
    fn every_step_has_its_event() {
        let message = NewTask::new("t", "q", Arguments::default()).encode("o");
        let message = TaskMessage::decode(message.as_bytes()).unwrap();
        let uuid = message.id.clone();
        let ended = |outcome: Outcome| of_task(&message, Event::Ended { outcome: &outcome, runtime: Duration::ZERO });
        let revoked = |why| match ended(Outcome::Revoked(why)) {
            event::Event::TaskRevoked { terminated, signum, expired, .. } => (terminated, signum, expired),
            other => panic!("{other:?}"),
        };
        assert_eq!(revoked(Exception::revoked()), (false, None, false));
        assert_eq!(revoked(Exception::expired()), (false, None, true));
        assert_eq!(revoked(Exception::terminated()), (true, Some(15), false));
        let rejected = event::Event::TaskRejected { uuid: uuid.clone(), requeue: true };
        assert_eq!(of_task(&message, Event::PutBack), rejected);
        let exception = "TaskError('x')".to_owned();
        let retried = event::Event::TaskRetried { uuid, exception, traceback: None };
        assert_eq!(ended(Outcome::Retry(Exception::failed("x"))), retried);
        let long = Outcome::Success(serde_json::value::to_raw_value(&"x".repeat(5_000)).unwrap());
        let event::Event::TaskSucceeded { result, .. } = ended(long) else { panic!("no success") };
        assert!(result.chars().count() == 1_024 && result.ends_with("..."));
    }
}
