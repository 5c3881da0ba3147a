//! What every process tells those who watch it: its figures as [Prometheus](https://prometheus.io) reads them, and whether
//! it is alive and ready.

mod listener;
mod pulse;
mod timing;

pub use listener::{Ready, serve};
pub use pulse::Pulse;
pub use timing::Timing;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// The media type of [`page`]: `OpenMetrics` 1.0.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry whose figures all begin with `logmon_`.
pub fn registry() -> Registry {
    Registry::with_prefix("logmon")
}

/// The figures of a registry as text.
pub fn page(registry: &Registry) -> String {
    let mut page = String::new();
    // Text can always be written to.
    if text::encode(&mut page, registry).is_err() {
        log::error!("the metrics could not be written");
    }
    page
}
