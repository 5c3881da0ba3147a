//! All input and output that is shared: the database in [`db`], Redis in [`broker`]. Neither knows the other; only
//! [`watch`] uses both.

pub mod broker;
pub mod db;
#[cfg(feature = "testing")]
pub mod testing;
pub mod watch;
