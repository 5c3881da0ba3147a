//! The queues on a real Redis: what is fetched is in flight at once, and comes to exactly one end.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

mod chords;
mod dead_letters;
mod errors;
mod figures;
mod flights;
mod full;
mod groups;
mod recovery;
mod rig;
mod sent_events;
mod slots;
mod workers;
mod wrong_kinds;
