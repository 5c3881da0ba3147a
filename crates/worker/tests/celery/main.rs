//! Celery's own producers and workers beside ours, on one Redis.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

mod canvas;
mod common;
mod malformed;
mod producers;
mod python_workers;
mod recovery;
