//! Where the database is and how it is used.

use std::num::NonZeroU32;

use clap::Args;
use secrecy::SecretString;

use super::values;

/// The database.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// Where the MySQL or MariaDB database is: mysql://USER:PASSWORD@HOST:3306/DATABASE
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = values::mysql_url)]
    pub database_url: SecretString,

    /// How many connections to the database this process opens at most
    #[arg(long, env = "DATABASE_CONNECTIONS", default_value = "8", value_parser = values::number::<NonZeroU32, 1_000>)]
    pub database_connections: NonZeroU32,
}
