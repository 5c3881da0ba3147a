//! One connection to Redis, with a bound on every wait.

use std::time::Duration;

use redis::{Client, Connection, RedisError};

/// How long one command may take, and how long connecting may.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Makes connections for the pool.
#[derive(Debug)]
pub(crate) struct Manager(pub(crate) Client);

/// A connection, and whether it may be used again.
pub(crate) struct Link {
    pub(crate) conn: Connection,
    pub(crate) state: State,
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
        let conn = self.0.get_connection_with_timeout(TIMEOUT)?;
        conn.set_read_timeout(Some(TIMEOUT))?;
        conn.set_write_timeout(Some(TIMEOUT))?;
        Ok(Link { conn, state: State::Open })
    }

    fn is_valid(&self, link: &mut Link) -> Result<(), RedisError> {
        redis::cmd("PING").query(&mut link.conn)
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.state == State::Broken
    }
}
