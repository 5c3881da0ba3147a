//! What the handlers share: the database and Redis, each behind a bound on waiting and on how many wait.

use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use logmon_core::clock::Clock;
use logmon_store::broker::{Broker, BrokerError};
use logmon_store::db::{Connection, Database};
use tokio::sync::Semaphore;

use crate::error::ApiError;
use crate::health::Health;

/// How long a request waits for the database or Redis, the wait for a turn included.
///
/// Neither client library gives up by itself on a peer that is silent, so the wait ends here; the thread that is stuck
/// keeps its turn until the system ends its connection.
const DEADLINE: Duration = Duration::from_millis(1_900);

/// What the handlers share.
#[derive(Clone)]
pub struct State {
    database: Database,
    broker: Broker,
    database_turns: Arc<Semaphore>,
    broker_turns: Arc<Semaphore>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The zone that days are cut in.
    pub zone: Tz,
    /// How large a body may be, in bytes.
    pub body_limit: usize,
    /// What is up and what is not.
    pub health: Health,
}

/// How many calls to Redis run at once.
pub const BROKER_CONNECTIONS: u32 = 8;

impl State {
    /// The state of a server on this database and Redis.
    pub fn new(stores: Stores, clock: Arc<dyn Clock>, zone: Tz, body_limit: usize) -> Self {
        Self {
            database_turns: Arc::new(Semaphore::new(stores.database_connections)),
            broker_turns: Arc::new(Semaphore::new(usize::try_from(BROKER_CONNECTIONS).unwrap_or(1))),
            health: Health::default(),
            database: stores.database,
            broker: stores.broker,
            clock,
            zone,
            body_limit,
        }
    }

    /// Runs `work` with a connection to the database, on a thread of its own.
    ///
    /// # Errors
    /// What `work` returned, or [`ErrorCode::Unavailable`](crate::error_code::ErrorCode::Unavailable) when there was no
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

/// The connections that a server is built on.
pub struct Stores {
    /// The database.
    pub database: Database,
    /// How many connections to it there are at most.
    pub database_connections: usize,
    /// Redis.
    pub broker: Broker,
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
    tokio::time::timeout(DEADLINE, work)
        .await
        .unwrap_or_else(|_| Err(ApiError::unavailable(format!("{what} did not answer in time"))))
}
