//! The rules of LogMon, free of input and output: what a log, an alert, a schedule, a task, a worker and a Celery
//! message are.
//!
//! Nothing here opens a socket, knows a database or asks for the time; only [`clock`] reads a clock and only
//! [`config`] reads the environment.

pub mod alert;
pub mod app;
pub mod celery;
pub mod clock;
pub mod config;
pub mod field;
pub mod language;
pub mod log;
pub mod notification;
pub mod page;
pub mod python;
pub mod report;
pub mod schedule;
pub mod seal;
pub mod stop;
pub mod summary;
pub mod tasks;
pub mod worker;
