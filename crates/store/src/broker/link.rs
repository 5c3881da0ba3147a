//! One connection to Redis, with a bound on every wait.

use std::time::{Duration, Instant};

use redis::{Client, Connection, RedisError};

use crate::attempts::Attempts;

/// How long one command may take, and how long connecting may.
const TIMEOUT: Duration = Duration::from_secs(2);

/// For how long a connection is trusted after it was used.
const TRUST: Duration = Duration::from_secs(1);

/// Makes connections for the pool.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) client: Client,
    pub(crate) attempts: Attempts,
}

/// A connection, and whether it may be used again.
pub(crate) struct Link {
    pub(crate) conn: Connection,
    pub(crate) state: State,
    seen: Instant,
}

/// Whether a connection is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is.
    Open,
    /// An answer may be missing or half read.
    Broken,
}

impl r2d2::ManageConnection for Manager {
    type Connection = Link;
    type Error = RedisError;

    fn connect(&self) -> Result<Link, RedisError> {
        self.attempts.hear(connect(&self.client))
    }

    fn is_valid(&self, link: &mut Link) -> Result<(), RedisError> {
        // One that was used a moment ago is not asked: a server closes what is idle, and all of them when it restarts.
        if link.seen.elapsed() > TRUST {
            redis::cmd("PING").query::<()>(&mut link.conn)?;
        }
        link.seen = Instant::now();
        Ok(())
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.state == State::Broken
    }
}

fn connect(client: &Client) -> Result<Link, RedisError> {
    let mut conn = client.get_connection_with_timeout(TIMEOUT)?;
    conn.set_read_timeout(Some(TIMEOUT))?;
    conn.set_write_timeout(Some(TIMEOUT))?;
    // A server that wants a password says so to this, and to something longer only that it is too long.
    redis::cmd("PING").query::<()>(&mut conn)?;
    Ok(Link { conn, state: State::Open, seen: Instant::now() })
}
