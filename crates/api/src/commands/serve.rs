//! `serve`: the HTTP server.

use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use clap::Args;
use logmon_core::clock::SystemClock;
use logmon_core::config::{
    BrokerSettings, CheckSettings, DatabaseSettings, HttpSettings, LogSettings, NotificationSettings, StorageSettings,
    ZoneSettings,
};
use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::Broker;
use logmon_store::db::Database;
use logmon_store::db::writer::Writer;
use logmon_store::python_workers;

use crate::health::Health;
use crate::middleware::identify;
use crate::routes;
use crate::state::{BROKER_CONNECTIONS, State, Stores};
use crate::tail::Tails;

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
    notification: NotificationSettings,
    #[command(flatten)]
    check: CheckSettings,
    #[command(flatten)]
    storage: StorageSettings,
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
        // Connections of its own, so that a server under load does not look like one without a database.
        let own = DatabaseSettings { database_connections: NonZeroU32::MIN, ..self.database.clone() };
        let (own_database, own_broker) = (Database::new(&own), Broker::new(&self.broker, 1)?);
        broker.warn_of_losses();
        python_workers::watch(Broker::new(&self.broker, 1)?);
        let writer = Writer::start(&self.database);
        let stores = Stores { writer, database, database_connections, broker };
        let state = State::new(
            stores,
            Arc::new(SystemClock),
            self.zone.time_zone,
            &self.http,
            &self.notification,
            self.check.clone(),
            self.storage.retention,
        );
        let stop = Stop::on_signals()?;
        let (listen, delay) = (self.http.listen, self.http.stop_delay);
        actix_web::rt::System::new().block_on(async move {
            let (health, apps, tails) = (state.health.clone(), state.apps.clone(), state.tails.clone());
            let state = Data::new(state);
            let server = HttpServer::new(move || {
                App::new().app_data(state.clone()).wrap(from_fn(identify)).configure(routes::configure)
            })
            .client_request_timeout(HEADERS)
            .max_connections(CONNECTIONS)
            .shutdown_timeout(GRACE_SECONDS)
            .disable_signals()
            .bind(listen)
            .with_context(|| format!("LISTEN is {listen}, but that address cannot be listened on"))?;
            for address in server.addrs() {
                log::info!("listening on http://{address}");
            }
            apps.watch(own_database.clone());
            health.watch(own_database, own_broker);
            let server = server.run();
            stop_on(Ending { stop, server: server.handle(), health, tails, delay });
            server.await?;
            log::info!("stopped");
            Ok(())
        })
    }
}

/// What has to do with the end of a server.
struct Ending {
    stop: Stop,
    server: ServerHandle,
    health: Health,
    tails: Tails,
    delay: Duration,
}

/// Stops the server when it is told to: after the first signal it is not ready any more, after the delay it takes no new
/// requests and answers those under way, after the second signal they are cut off. The server's own handling takes SIGINT
/// for the second at once.
#[expect(clippy::exit, reason = "the second signal says so")]
fn stop_on(Ending { stop, server, health, tails, delay }: Ending) {
    std::thread::spawn(move || {
        while !stop.is_raised() {
            stop.wait(Urgency::Finish, FOREVER);
        }
        health.stopping();
        log::info!("stopping: no new requests in {} s", delay.as_secs_f64());
        if stop.wait(Urgency::Now, delay) < Urgency::Now {
            // They would go on for as long as their clients like.
            tails.close();
            // It stops from then on; its end is waited for by `run`.
            drop(server.stop(true));
            while stop.wait(Urgency::Now, FOREVER) < Urgency::Now {}
        }
        // It does not listen to another order while it waits for its requests.
        log::warn!("stopped at once: what was under way is cut off");
        let _code = logmon_store::db::ended(ExitCode::FAILURE);
        std::process::exit(1);
    });
}

const FOREVER: Duration = Duration::from_secs(3_600);
