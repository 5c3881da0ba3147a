//! What the handlers share: the database and Redis, each behind a bound on waiting and on how many wait.

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use logmon_core::app::AppId;
use logmon_core::clock::Clock;
use logmon_core::config::{CheckSettings, HttpSettings, NotificationSettings};
use logmon_core::language::Language;
use logmon_core::log::{Arrival, Record};
use logmon_core::notification::{Targets, Wording};
use logmon_core::seal::Sealer;
use logmon_store::broker::{Bounds, Broker, BrokerError};
use logmon_store::db::writer::{Key, MakeAnswer, Stored, WriteError, Writer};
use logmon_store::db::{Connection, Database, DbError, apps};
use logmon_store::watch::Watch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::apps::Apps;
use crate::error::ApiError;
use crate::error_code::ErrorCode;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::tail::Tails;

/// How long a request waits for the database or Redis, the wait for a turn included.
///
/// The connections give up a peer that is silent some seconds later; until then the thread that is stuck keeps its turn.
const DEADLINE: Duration = Duration::from_millis(1_900);

/// What the handlers share.
#[derive(Clone)]
pub struct State {
    database: Database,
    broker: Broker,
    writer: Writer,
    database_turns: Arc<Semaphore>,
    broker_turns: Arc<Semaphore>,
    count_turns: Arc<Semaphore>,
    search_turns: Arc<Semaphore>,
    export_turns: Arc<Semaphore>,
    /// The apps that are known to exist.
    pub apps: Apps,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The zone that days are cut in.
    pub zone: Tz,
    /// How long logs are kept.
    retention: Duration,
    /// How large a body may be, in bytes.
    pub body_limit: usize,
    /// How much may wait on the queue `ingest`.
    pub ingest_bounds: Bounds,
    /// What is up and what is not.
    pub health: Health,
    /// What is told of it all.
    pub metrics: Metrics,
    /// How people are told.
    pub telling: Telling,
    /// The apps whose logs come in.
    pub watch: Watch,
    /// Who reads what is stored as it comes.
    pub tails: Tails,
}

/// How people are told, as far as a channel that is saved has to do with it.
#[derive(Clone)]
pub struct Telling {
    /// The language of those who did not choose one.
    pub language: Language,
    /// What channels may reach.
    pub targets: Targets,
    /// What their secrets are sealed with.
    pub sealer: Option<Sealer>,
    /// The words in which people are addressed.
    pub wording: Wording,
}

/// How long a search in a few apps waits for its turn, and one in all of them: half of what each is to take.
const SEARCH_WAIT: Duration = Duration::from_millis(150);
const WIDE_SEARCH_WAIT: Duration = Duration::from_millis(750);

/// How many exports run at once, each on a connection to the database of its own.
const EXPORTS: usize = 2;

/// How many calls to Redis run at once.
pub const BROKER_CONNECTIONS: u32 = 8;

impl State {
    /// The state of a server on this database and Redis.
    pub fn new(
        stores: Stores,
        clock: Arc<dyn Clock>,
        zone: Tz,
        settings: &HttpSettings,
        notification: &NotificationSettings,
        check: CheckSettings,
        retention: Duration,
    ) -> Self {
        let (bytes, age) = (settings.ingest_queue_bytes.get(), settings.ingest_queue_age);
        let tails = Tails::default();
        Self {
            database_turns: Arc::new(Semaphore::new(stores.database_connections)),
            broker_turns: Arc::new(Semaphore::new(usize::try_from(BROKER_CONNECTIONS).unwrap_or(1))),
            count_turns: Arc::new(Semaphore::new(busy(stores.database_connections / 4))),
            search_turns: Arc::new(Semaphore::new(busy(stores.database_connections / 2))),
            export_turns: Arc::new(Semaphore::new(EXPORTS)),
            apps: Apps::default(),
            metrics: Metrics::new(stores.writer.figures(), &tails),
            tails,
            writer: stores.writer,
            health: Health::default(),
            watch: Watch::start(check, stores.database.clone(), stores.broker.clone(), Arc::clone(&clock)),
            database: stores.database,
            broker: stores.broker,
            telling: Telling {
                language: notification.language,
                targets: notification.targets(),
                sealer: notification.sealer(),
                wording: notification.wording(zone),
            },
            clock,
            zone,
            retention,
            body_limit: settings.body_limit.get(),
            ingest_bounds: Bounds { bytes, age },
        }
    }

    /// A request that arrives now.
    pub fn arrival(&self) -> Arrival {
        Arrival::new(self.clock.now(), self.retention)
    }

    /// Runs `work` with a connection to the database, on a thread of its own.
    ///
    /// # Errors
    /// What `work` returned, or [`ErrorCode::Unavailable`] when there was no
    /// answer in time: whether `work` took effect is not known then.
    pub async fn database<T, E>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        E: Into<ApiError>,
    {
        let database = self.database.clone();
        let run = move || work(&mut *database.get()?).map_err(Into::into);
        bounded("the database", self.database_turns.clone(), run).await
    }

    /// [`State::database`] for work that adds up counts, which keeps a processor busy: who has asked first is first, and no more
    /// of it runs at once than there are processors, or all of it would end late.
    ///
    /// # Errors
    /// As [`State::database`].
    pub async fn counts<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let count = async {
            let turn = Arc::clone(&self.count_turns).acquire_owned().await;
            let turn = turn.map_err(|e| ApiError::internal(e.to_string()))?;
            let work = move |conn: &mut Connection| {
                let _turn = turn;
                work(conn)
            };
            self.database(work).await
        };
        in_time("the database", count).await
    }

    /// The right to look for a text in these apps, or in all when there are none, until it is dropped. Who has asked first is
    /// first.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`] when as many as are allowed look for one, and none ends soon enough.
    pub async fn search_turn(&self, apps: &[AppId]) -> Result<OwnedSemaphorePermit, ApiError> {
        let wait = if apps.is_empty() { WIDE_SEARCH_WAIT } else { SEARCH_WAIT };
        let turn = Arc::clone(&self.search_turns).acquire_owned();
        let late = |_| ApiError::too_many("Too many searches run at once.");
        let turn = tokio::time::timeout(wait, turn).await.map_err(late)?;
        turn.map_err(|e| ApiError::internal(e.to_string()))
    }

    /// The right to export logs, until it is dropped, and a connection to the database for it.
    ///
    /// # Errors
    /// [`ErrorCode::TooMany`] when as many as are allowed export now; else as
    /// [`State::database`].
    pub async fn export_turn(&self) -> Result<(OwnedSemaphorePermit, Connection), ApiError> {
        let turn = Arc::clone(&self.export_turns).try_acquire_owned();
        let turn = turn.map_err(|_none| ApiError::too_many("Too many exports run at once."))?;
        let database = self.database.clone();
        let connecting = tokio::task::spawn_blocking(move || database.connect().map(|conn| (turn, conn)));
        let late = |_| ApiError::unavailable("the database did not answer in time");
        let connected = tokio::time::timeout(DEADLINE, connecting).await.map_err(late)?;
        Ok(connected.map_err(|e| ApiError::internal(e.to_string()))??)
    }

    /// Stores logs; what became of each is said when they are committed.
    ///
    /// # Errors
    /// As [`State::database`].
    pub async fn store(&self, records: Vec<Record>) -> Result<Vec<Stored>, ApiError> {
        let (reply, stored) = oneshot::channel();
        self.writer.submit(records, Instant::now() + DEADLINE, |outcome| tell(reply, outcome));
        hear(stored).await?.map_err(|e| ApiError::unavailable(e.to_string()))
    }

    /// Stores logs, their key and the answer to them, all or nothing; `None` when the key is there already.
    ///
    /// # Errors
    /// As [`State::database`].
    pub async fn store_once(
        &self,
        key: Key,
        records: Vec<Record>,
        answer: MakeAnswer,
    ) -> Result<Option<Vec<Stored>>, ApiError> {
        let (reply, stored) = oneshot::channel();
        self.writer.submit_once(key, records, answer, Instant::now() + DEADLINE, |outcome| tell(reply, outcome));
        match hear(stored).await? {
            Ok(stored) => Ok(Some(stored)),
            Err(WriteError::KeyTaken) => Ok(None),
            Err(WriteError::AnswerTooLarge) => {
                let detail = "The answer, which is kept with the Idempotency-Key, is larger than what the database takes at once: send the batch in parts.";
                Err(ApiError::detail(ErrorCode::TooLarge, detail))
            }
            Err(error) => Err(ApiError::unavailable(error.to_string())),
        }
    }

    /// Those of `wanted` that are apps. Asks the database only for those that it has not named before: whether an app
    /// is gone meanwhile is found when its logs are stored.
    ///
    /// # Errors
    /// As [`State::database`].
    pub async fn known_apps(&self, wanted: &[AppId]) -> Result<Arc<HashSet<AppId>>, ApiError> {
        let known = self.apps.all();
        let unknown: Vec<AppId> = wanted.iter().filter(|app| !known.contains(app)).copied().collect();
        if unknown.is_empty() {
            return Ok(known);
        }
        let found = self.database(move |conn| apps::known(conn, &unknown)).await?;
        Ok(self.apps.add(found))
    }

    /// Forgets an app that turned out to be gone.
    pub fn forget_app(&self, app: AppId) {
        self.apps.remove(app);
    }

    /// Runs `work` with Redis, on a thread of its own.
    ///
    /// # Errors
    /// As [`State::database`].
    pub async fn broker<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Broker) -> Result<T, BrokerError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let broker = self.broker.clone();
        bounded("Redis", self.broker_turns.clone(), move || work(&broker).map_err(Into::into)).await
    }
}

/// How much runs at once of what keeps a processor busy, on these connections: with more, all of it would only take longer.
/// Searches have half of all connections at most, counts a quarter; the others are for those who know where to look.
fn busy(connections: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    processors.max(2).min(connections).max(1)
}

/// The connections that a server is built on.
pub struct Stores {
    /// What stores logs.
    pub writer: Writer,
    /// The database.
    pub database: Database,
    /// How many connections to it there are at most.
    pub database_connections: usize,
    /// Redis.
    pub broker: Broker,
}

type Outcome = Result<Vec<Stored>, WriteError>;

fn tell(reply: oneshot::Sender<Outcome>, outcome: Outcome) {
    // Nobody listens any more where the client's time is up.
    let _told = reply.send(outcome);
}

async fn hear(stored: oneshot::Receiver<Outcome>) -> Result<Outcome, ApiError> {
    match tokio::time::timeout(DEADLINE, stored).await {
        Ok(outcome) => outcome.map_err(|e| ApiError::internal(e.to_string())),
        Err(_) => Err(ApiError::unavailable("the database did not answer in time")),
    }
}

async fn bounded<T: Send + 'static>(
    what: &'static str,
    turns: Arc<Semaphore>,
    run: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let work = async move {
        let turn = turns.acquire_owned().await.map_err(|e| ApiError::internal(e.to_string()))?;
        let running = tokio::task::spawn_blocking(move || {
            let done = run();
            drop(turn);
            done
        });
        running.await.map_err(|e| ApiError::internal(e.to_string()))?
    };
    in_time(what, work).await
}

async fn in_time<T>(what: &'static str, work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    tokio::time::timeout(DEADLINE, work)
        .await
        .unwrap_or_else(|_| Err(ApiError::unavailable(format!("{what} did not answer in time"))))
}
