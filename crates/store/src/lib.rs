//! All input and output that is shared: the database in [`db`], Redis in [`broker`]. Neither knows the other; only
//! [`watch`] uses both. [`python_workers`] hears what Celery's workers say, [`metrics`] is what a process tells of itself.

mod attempts;
pub mod broker;
pub mod db;
pub mod metrics;
pub mod python_workers;
#[cfg(feature = "testing")]
pub mod testing;
pub mod watch;
