//! `logmon-beat`

use std::process::ExitCode;

fn main() -> ExitCode {
    logmon_store::db::ended(logmon_beat::run())
}
