//! The program's subcommands, as Django's `manage.py` and `celery` would be used.

pub mod app;
pub mod call;
pub mod migrate;
pub mod serve;
pub mod verify;

use std::io::Write as _;

use serde::Serialize;

/// Prints a value as JSON on standard output.
///
/// # Errors
/// When standard output is closed.
fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}
