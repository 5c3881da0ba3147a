//! `logmon-api`

use std::process::ExitCode;

fn main() -> ExitCode {
    logmon_api::run()
}
