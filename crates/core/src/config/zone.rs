//! The time zone that days are cut in.

use chrono_tz::Tz;
use clap::Args;

/// The time zone.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Time")]
pub struct ZoneSettings {
    /// The IANA time zone in which days are cut and the schedule is read
    #[arg(long, env = "TIME_ZONE", default_value = "UTC", value_parser = zone)]
    pub time_zone: Tz,
}

fn zone(text: &str) -> Result<Tz, String> {
    text.parse().ok().ok_or_else(|| "a name such as Asia/Shanghai or UTC is expected".to_owned())
}
