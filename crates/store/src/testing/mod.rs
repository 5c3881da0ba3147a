//! What tests share: a database and a key prefix of their own, on the servers that `scripts/test` started.

pub mod http;
pub mod private_server;
pub mod process;
pub mod proxy;
pub mod python;
pub mod receiver;
pub mod system;

use logmon_core::celery::Priority;
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_core::config::{BrokerSettings, DatabaseSettings};
use logmon_core::page::Page;
use std::num::NonZeroU32;
use std::sync::OnceLock;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use redis::Commands as _;

use crate::broker::{Broker, DeadLetter, DeadLetterFilter};
use crate::db::writer::Writer;
use crate::db::{Database, guard, migrations};

/// A database of its own, dropped at the end.
pub struct TestDatabase {
    server: String,
    name: String,
    writer: OnceLock<Writer>,
    /// The database.
    pub database: Database,
}

#[expect(clippy::disallowed_methods, clippy::expect_used, reason = "says where the tests' servers are")]
fn server(variable: &str) -> String {
    std::env::var(variable).expect("run the tests by scripts/test: it starts the servers that they need")
}

impl TestDatabase {
    /// A database with the current schema.
    pub fn new() -> Self {
        let test = Self::empty();
        let mut conn = test.connect();
        let today = SystemClock.now().date_naive();
        migrations::migrate(&mut conn, today, |_| ()).unwrap_or_else(|e| panic!("{e}"));
        test
    }

    /// A database without any table.
    pub fn empty() -> Self {
        let server = server("TEST_DATABASE_URL");
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        admin(&server, &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
        let database = Database::new(&settings(&format!("{server}/{name}")));
        Self { server, name, writer: OnceLock::new(), database }
    }

    /// The address of the database.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// A connection outside the pool.
    pub fn connect(&self) -> MysqlConnection {
        establish(&self.url())
    }

    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// The writer of this database: the same one at every call.
    pub fn writer(&self) -> &Writer {
        self.writer.get_or_init(|| Writer::start(&settings(&self.url())))
    }

    /// A connection that stays open: for transactions and locks.
    pub fn session(&self) -> Session {
        Session(self.connect())
    }

    /// How many statements of others name a table now.
    pub fn busy(&self, table: &str) -> i64 {
        self.number(&format!(
            "SELECT COUNT(*) FROM information_schema.processlist
             WHERE info LIKE '%{table}%' AND db = '{}' AND id <> CONNECTION_ID()",
            self.name
        ))
    }

    /// Ends every connection to it, as a server that goes away does.
    pub fn kill_connections(&self) {
        let mut conn = self.connect();
        let ids = format!(
            "SELECT CAST(COALESCE(MAX(id), 0) AS SIGNED) AS value FROM information_schema.processlist
             WHERE db = '{}' AND id <> CONNECTION_ID()",
            self.name
        );
        loop {
            let id = crate::db::number(&mut conn, &ids).unwrap_or_else(|e| panic!("{e}"));
            if id == 0 {
                return;
            }
            // It may have ended by itself.
            let _killed = conn.batch_execute(&format!("KILL {id}"));
        }
    }

    /// The texts that a query gives in its column `line`.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        #[derive(diesel::QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Text)]
            line: String,
        }
        let rows: Vec<Line> = diesel::sql_query(sql).load(&mut self.connect()).unwrap_or_else(|e| panic!("{sql}: {e}"));
        rows.into_iter().map(|row| row.line).collect()
    }

    /// The one number that a query gives.
    pub fn number(&self, sql: &str) -> i64 {
        let sql = format!("SELECT CAST(({sql}) AS SIGNED) AS value");
        crate::db::number(&mut self.connect(), &sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }
}

/// A connection that a test holds.
pub struct Session(MysqlConnection);

impl Session {
    /// Runs statements that may fail.
    ///
    /// # Errors
    /// What the database says.
    pub fn try_execute(&mut self, sql: &str) -> Result<(), String> {
        self.0.batch_execute(sql).map_err(|e| e.to_string())
    }

    /// Runs statements.
    pub fn execute(&mut self, sql: &str) {
        self.0.batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
}

impl Default for TestDatabase {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        admin(&self.server, &format!("DROP DATABASE IF EXISTS {}", self.name));
    }
}

/// Settings for a database at `url`.
pub fn settings(url: &str) -> DatabaseSettings {
    let connections = NonZeroU32::MIN.saturating_add(7);
    DatabaseSettings { database_url: url.to_owned().into(), database_connections: connections }
}

fn admin(server: &str, sql: &str) {
    establish(&format!("{server}/mysql")).batch_execute(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
}

fn establish(url: &str) -> MysqlConnection {
    guard::establish(url, Duration::MAX).unwrap_or_else(|e| panic!("{e}"))
}

fn broker_at(url: &str, prefix: &str, task_sent_events: bool) -> Broker {
    let settings = BrokerSettings {
        redis_url: url.to_owned().into(),
        redis_key_prefix: prefix.to_owned(),
        result_expires: Duration::from_secs(3_600),
        task_sent_events,
    };
    Broker::new(&settings, 8).unwrap_or_else(|e| panic!("{e}"))
}

/// Under what the server knows a connection.
pub fn connection_id(conn: &mut MysqlConnection) -> i64 {
    crate::db::number(conn, "SELECT CAST(CONNECTION_ID() AS SIGNED) AS value").unwrap_or_else(|e| panic!("{e}"))
}

/// A key prefix of its own, whose keys are deleted at the end.
pub struct TestBroker {
    /// Redis behind the prefix.
    pub broker: Broker,
    prefix: String,
    url: String,
}

impl TestBroker {
    /// An empty prefix.
    pub fn new() -> Self {
        Self::on(server("TEST_REDIS_URL"))
    }

    /// An empty prefix on a server of the caller's own.
    pub fn on(url: String) -> Self {
        let prefix = format!("test-{}:", uuid::Uuid::new_v4().simple());
        Self { broker: broker_at(&url, &prefix, false), prefix, url }
    }

    /// Another broker behind the prefix, which tells of each task that it sends.
    pub fn telling(&self) -> Broker {
        broker_at(&self.url, &self.prefix, true)
    }

    /// The same keys as a user without a password sees them.
    pub fn broker_as(&self, user: &str) -> Broker {
        broker_at(&self.url.replacen("://", &format!("://{user}:any@"), 1), &self.prefix, false)
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What stands before every key.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many messages are in flight.
    pub fn in_flight(&self) -> u64 {
        let keys = self.broker.keys();
        let mut conn = self.connect();
        let counts: redis::RedisResult<(u64, u64)> =
            redis::pipe().hlen(keys.unacked()).zcard(keys.unacked_index()).query(&mut conn);
        let (held, indexed) = counts.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(held, indexed);
        held
    }

    /// Puts anything at all on a queue.
    pub fn push(&self, queue: &str, raw: &[u8]) {
        let pushed: redis::RedisResult<()> =
            self.connect().lpush(self.broker.keys().queue(queue, Priority::default()), raw);
        pushed.unwrap_or_else(|e| panic!("{e}"));
    }

    /// The messages that wait on a queue, the next one last.
    pub fn waiting(&self, queue: &str) -> Vec<Vec<u8>> {
        let list = self.broker.keys().queue(queue, Priority::default());
        self.connect().lrange(list, 0, -1).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The delivery tags of the messages that our workers hold.
    pub fn held(&self) -> Vec<String> {
        self.connect().hkeys(self.broker.keys().holders()).unwrap_or_else(|e| panic!("{e}"))
    }

    /// As if so many workers had died of a message.
    pub fn died_of(&self, tag: &str, times: u32) {
        let noted: redis::RedisResult<()> = self.connect().hset(self.broker.keys().deliveries(), tag, times);
        noted.unwrap_or_else(|e| panic!("{e}"));
    }

    /// As if Redis had lost what it knows of an Idempotency-Key.
    pub fn lose_key(&self, key: &str) {
        let lost: redis::RedisResult<i64> = self.connect().del(self.broker.keys().batch(key));
        assert_eq!(lost.unwrap_or_else(|e| panic!("{e}")), 1, "it is not known: {key}");
    }

    /// The dead letters, the newest first: what each was, and why it is one.
    pub fn dead_letters(&self) -> Vec<(String, String)> {
        let page = Page { limit: 1_000, after: None };
        let letters = self.broker.dead_letters(&DeadLetterFilter::default(), page).unwrap_or_else(|e| panic!("{e}"));
        let read = |letter: DeadLetter| {
            let whole = self.broker.dead_letter(letter.id).unwrap_or_else(|e| panic!("{e}"));
            let raw = whole.map(|(_, raw)| raw).unwrap_or_default();
            (String::from_utf8_lossy(&raw).into_owned(), letter.reason)
        };
        letters.into_iter().map(read).collect()
    }

    /// A connection that knows nothing of the prefix.
    pub fn connect(&self) -> redis::Connection {
        let client = redis::Client::open(self.url.as_str()).unwrap_or_else(|e| panic!("{e}"));
        client.get_connection().unwrap_or_else(|e| panic!("{e}"))
    }
}

impl Default for TestBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        let mut conn = self.connect();
        let keys: Vec<Vec<u8>> = conn.keys(format!("{}*", self.prefix)).unwrap_or_default();
        if !keys.is_empty() {
            let deleted: redis::RedisResult<()> = conn.del(keys);
            // A test that failed may have left its server in any state, and has said what matters.
            assert!(deleted.is_ok() || std::thread::panicking(), "{deleted:?}");
        }
    }
}
