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

    /// Publishes what is still to be published, and that the worker ends.
    pub fn end(&self) {
        // One that finds no room is one that Redis has been taking nothing of for a while.
        self.note(Note::End);
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
    let Event::Ended { outcome, runtime } = event else {
        return match event {
            Event::Received => event::Event::received(message),
            _ => event::Event::TaskStarted { uuid },
        };
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
        self.publish(vec![self.status(event::Event::WorkerOnline)], 1);
        let interval = Duration::from_secs_f64(HEARTBEAT_SECONDS);
        let mut due = Instant::now() + interval;
        loop {
            let first = notes.recv_timeout(due.saturating_duration_since(Instant::now()));
            if Instant::now() >= due {
                due = Instant::now() + interval;
                self.publish(vec![self.status(event::Event::WorkerHeartbeat)], 1);
                self.say_dropped();
            }
            match first {
                Ok(note) => {
                    if self.take(note, notes) == Then::End {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    // Publishes a note, and with an event of a task those that wait behind it.
    fn take(&self, note: Note, notes: &Receiver<Note>) -> Then {
        let mut events = Vec::new();
        let mut next = Ok(note);
        while let Ok(Note::Task(event, at)) = next {
            events.push((*event, at));
            next = if events.len() < AT_ONCE { notes.try_recv() } else { Err(TryRecvError::Empty) };
        }
        let count = events.len();
        if count > 0 {
            self.publish(vec![self.publisher().tasks(events)], count);
        }
        match next {
            Ok(Note::Heartbeat) => self.publish(vec![self.status(event::Event::WorkerHeartbeat)], 1),
            Ok(Note::End) => {
                self.publish(vec![self.status(event::Event::WorkerOffline)], 1);
                return Then::End;
            }
            Ok(Note::Task(..)) | Err(_) => {}
        }
        Then::GoOn
    }

    fn publisher(&self) -> event::Publisher<'_> {
        event::Publisher { node: &self.origin.node, pid: std::process::id(), clock: &self.origin.lamport }
    }

    fn status(&self, event: fn(WorkerStatus) -> event::Event) -> serde_json::Result<Published> {
        let (active, processed) = (self.origin.counts)();
        let status = WorkerStatus {
            freq: HEARTBEAT_SECONDS,
            active,
            processed,
            loadavg: crate::machine::load(),
            sw_ident: "logmon".to_owned(),
            sw_ver: env!("CARGO_PKG_VERSION").to_owned(),
            sw_sys: "Linux".to_owned(),
        };
        self.publisher().worker(event(status), self.origin.clock.now())
    }

    fn publish(&self, messages: Vec<serde_json::Result<Published>>, events: usize) {
        let messages: Vec<Published> = messages.into_iter().flatten().collect();
        if let Err(error) = self.origin.broker.publish(&messages) {
            // The loops that cannot do without Redis say that it is away.
            log::debug!("events dropped: {error}");
            self.shared.dropped.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    fn say_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.said {
            log::warn!(count = dropped - self.said; "events were dropped: Redis takes none, or not so many");
            self.said = dropped;
        }
    }
}

#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}
