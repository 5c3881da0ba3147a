//! The HTTP API, and the commands that go with it.
//!
//! A request goes through [`routes`] to a handler in [`endpoints`]; the handler reads the [`body`] or the [`query`],
//! asks the database or Redis through the [`state`], and answers with a view of its own or an [`error`].

pub mod apps;
pub mod asset;
pub mod body;
pub mod commands;
pub mod endpoints;
pub mod error;
pub mod error_code;
pub mod export;
pub mod health;
pub mod idempotency;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod preference;
pub mod query;
pub mod routes;
pub mod state;
pub mod tail;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::app::App;
use commands::call::Call;
use commands::dead_letter::DeadLetters;
use commands::migrate::Migrate;
use commands::queue::Queue;
use commands::revoke::Revoke;
use commands::serve::Serve;
use commands::verify::Verify;
use commands::worker::Worker;

/// LogMon's API: collects logs over HTTP, and looks after the database
#[derive(Debug, Parser)]
#[command(name = "logmon-api", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API
    Serve(Box<Serve>),
    /// Bring the database to the current schema
    Migrate(Migrate),
    /// Prove that every log is counted exactly
    Verify(Verify),
    /// Make and list apps
    App(App),
    /// Put a task on its queue, as `celery call` does
    Call(Call),
    /// Withdraw tasks, as `celery control revoke` does
    Revoke(Revoke),
    /// Look at messages that were given up, put them back on their queues, or drop them
    DeadLetter(DeadLetters),
    /// Show the queues, and let them stand still
    Queue(Queue),
    /// Show the workers, and what they run
    Worker(Worker),
}

/// Runs the program and says with which status it ends.
pub fn run() -> ExitCode {
    let cli: Cli = logmon_core::config::parse();
    let done = match &cli.command {
        Command::Serve(serve) => serve.run().map(|()| ExitCode::SUCCESS),
        Command::Migrate(migrate) => migrate.run().map(|()| ExitCode::SUCCESS),
        Command::Verify(verify) => verify.run(),
        Command::App(app) => app.run().map(|()| ExitCode::SUCCESS),
        Command::Call(call) => call.run(),
        Command::Revoke(revoke) => revoke.run(),
        Command::DeadLetter(dead_letters) => dead_letters.run(),
        Command::Queue(queue) => queue.run(),
        Command::Worker(worker) => worker.run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}
