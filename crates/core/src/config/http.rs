//! How the API is reached.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use clap::Args;
use secrecy::SecretString;

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

    /// The key for what is kept secret at rest; nothing is so far, so it may be left out
    #[arg(long, env = "SECRET_KEY", hide_env_values = true, value_parser = values::secret)]
    pub secret_key: Option<SecretString>,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().ok().ok_or_else(|| "an address and a port such as 127.0.0.1:8000 are expected".to_owned())
}
