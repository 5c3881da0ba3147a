//! The evaluation of rules on a real database, at times that the tests set.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

mod at_once;
#[path = "../common/mod.rs"]
mod common;
mod flapping;
mod groups;
mod life;
mod month;
mod outbox;
mod repeats;
mod rig;
mod silences;
