//! `serve`: the HTTP server.

use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use clap::Args;
use logmon_core::clock::SystemClock;
use logmon_core::config::{BrokerSettings, DatabaseSettings, HttpSettings, LogSettings, ZoneSettings};
use logmon_store::broker::Broker;
use logmon_store::db::Database;
use logmon_store::db::writer::Writer;

use crate::middleware::identify;
use crate::routes;
use crate::state::{BROKER_CONNECTIONS, State, Stores};

/// How long requests may go on after SIGTERM.
const GRACE_SECONDS: u64 = 20;
/// How long the headers of a request may take to arrive.
const HEADERS: Duration = Duration::from_secs(5);
/// How many connections one of the server's threads holds at most.
const CONNECTIONS: usize = 8_192;

/// What `serve` needs to know.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    http: HttpSettings,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    broker: BrokerSettings,
    #[command(flatten)]
    zone: ZoneSettings,
    #[command(flatten)]
    log: LogSettings,
}

impl Serve {
    /// Serves until it is told to stop. It starts without the database and Redis, and says when they come.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn run(&self) -> anyhow::Result<()> {
        self.log.install();
        let database = Database::new(&self.database);
        let broker = Broker::new(&self.broker, BROKER_CONNECTIONS)?;
        let database_connections = usize::try_from(self.database.database_connections.get()).unwrap_or(1);
        let writer = Writer::start(&self.database);
        let stores = Stores { writer, database: database.clone(), database_connections, broker: broker.clone() };
        let body_limit = self.http.body_limit.get();
        let state = State::new(stores, Arc::new(SystemClock), self.zone.time_zone, body_limit);
        let listen = self.http.listen;
        actix_web::rt::System::new().block_on(async move {
            let health = state.health.clone();
            let state = Data::new(state);
            let server = HttpServer::new(move || {
                App::new().app_data(state.clone()).wrap(from_fn(identify)).configure(routes::configure)
            })
            .client_request_timeout(HEADERS)
            .max_connections(CONNECTIONS)
            .shutdown_timeout(GRACE_SECONDS)
            .bind(listen)
            .with_context(|| format!("LISTEN is {listen}, but that address cannot be listened on"))?;
            for address in server.addrs() {
                log::info!("listening on http://{address}");
            }
            health.watch(database, broker);
            server.run().await?;
            log::info!("stopped");
            Ok(())
        })
    }
}
