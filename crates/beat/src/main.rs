//! `logmon-beat`

use std::process::ExitCode;

fn main() -> ExitCode {
    logmon_beat::run()
}
