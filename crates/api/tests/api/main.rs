//! The API and the other programs as a user meets them: as processes, on real servers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

mod alerts;
mod at_once;
mod batches;
mod beats;
mod calls;
mod channels;
mod common;
mod context;
mod dead_batches;
mod drf;
mod event_ids;
mod export;
mod faults;
mod fields;
mod fuzz;
mod histogram;
mod ingest;
mod mail;
mod metrics;
mod midnight;
mod openapi;
mod operating;
mod previews;
mod producers;
mod queued_keys;
mod raising;
mod redis_settings;
mod repeats;
mod reports;
mod revoke;
mod rules;
mod schedules;
mod search;
mod silences;
mod story;
mod summaries;
mod tail;
mod workers;
