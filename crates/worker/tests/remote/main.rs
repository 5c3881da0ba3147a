//! Celery's own clients and Flower against the real worker.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

mod common;
mod control;
mod events;
mod flower;
mod revoke;
mod slots;
