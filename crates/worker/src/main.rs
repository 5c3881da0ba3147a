//! `logmon-worker`

use std::process::ExitCode;

fn main() -> ExitCode {
    logmon_worker::run()
}
