//! The database's own rate: multi-row INSERTs into a twin of `core_log` and nothing else. What LogMon is measured against.
//!
//! usage: `insert_limit mysql://USER:PASSWORD@HOST:PORT/DATABASE CONNECTIONS SECONDS`, prints rows a second

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a tool for measuring")]

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

const ROW: &str = "(1,'ERROR','payment gateway timed out after 3000 ms while charging order 9f1c2d77-5a0e-4d1c-9a53-1f2f0a6b1c11 (attempt 2 of 3)',now(6))";
const ROWS: u32 = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, connections, seconds] = arguments.as_slice() else {
        eprintln!("usage: insert_limit mysql://USER:PASSWORD@HOST:PORT/DATABASE CONNECTIONS SECONDS");
        return;
    };
    let connect = || MysqlConnection::establish(url).unwrap();
    let (connections, seconds): (u32, u64) = (connections.parse().unwrap(), seconds.parse().unwrap());
    let mut admin = connect();
    admin.batch_execute("DROP TABLE IF EXISTS insert_limit; CREATE TABLE insert_limit LIKE core_log").unwrap();
    let rows = vec![ROW; usize::try_from(ROWS).unwrap()].join(",");
    let statement = format!("INSERT INTO insert_limit (app_id, level, message, created_at) VALUES {rows}");
    let (start, length) = (Instant::now(), Duration::from_secs(seconds));
    let insert = |mut conn: MysqlConnection| {
        let mut stored = 0_u32;
        while start.elapsed() < length {
            conn.batch_execute(&statement).unwrap();
            stored += ROWS;
        }
        stored
    };
    let stored: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(|| insert(connect()))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{:.0}", f64::from(stored) / start.elapsed().as_secs_f64());
    admin.batch_execute("DROP TABLE insert_limit").unwrap();
}
