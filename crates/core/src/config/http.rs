//! How the API is reached.

use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use clap::Args;

use super::values;

/// The HTTP server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpSettings {
    /// The address and port that the API listens on
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8000", value_parser = listen)]
    pub listen: SocketAddr,

    /// How large the body of a request may be, in bytes
    #[arg(long, env = "BODY_LIMIT", default_value = "8388608", value_parser = values::number::<NonZeroUsize, 1_073_741_824>)]
    pub body_limit: NonZeroUsize,

    /// How many bytes of batches that were answered with 202 may wait on Redis
    #[arg(long, env = "INGEST_QUEUE_BYTES", default_value = "268435456", value_parser = values::number::<NonZeroU64, 1_099_511_627_776>)]
    pub ingest_queue_bytes: NonZeroU64,

    /// How long the oldest of them may wait before no more are taken
    #[arg(long, env = "INGEST_QUEUE_AGE", default_value = "1h", value_parser = values::duration)]
    pub ingest_queue_age: Duration,

    /// How long new requests are still answered after SIGTERM, while /readyz says 503, so that a load balancer sends no more; 0s for none
    #[arg(long, env = "STOP_DELAY", default_value = "3s", value_parser = delay)]
    pub stop_delay: Duration,
}

/// Where a worker or beat is asked how it is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Metrics of worker and beat")]
pub struct MetricsSettings {
    /// The address and port of /metrics, /healthz and /readyz; off unless set. Suggested: 127.0.0.1:9101 for a worker, 127.0.0.1:9102 for beat
    #[arg(long, env = "METRICS_LISTEN", value_parser = listen)]
    pub metrics_listen: Option<SocketAddr>,
}

fn delay(text: &str) -> Result<Duration, String> {
    if text == "0s" { Ok(Duration::ZERO) } else { values::duration(text) }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().ok().ok_or_else(|| "an address and a port such as 127.0.0.1:8000 are expected".to_owned())
}
