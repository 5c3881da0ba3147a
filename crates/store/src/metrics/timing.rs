//! A histogram of durations on plain atomics: noting one takes no lock and no memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The upper bounds of the buckets, in microseconds: from what memory answers to what a day's summary takes.
const BOUNDS: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000,
    60_000_000,
];

/// How long something took, in seconds. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Timing(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BOUNDS.len()],
    longer: AtomicU64,
    micros: AtomicU64,
}

impl Timing {
    /// Notes one.
    pub fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| *bound < micros);
        self.0.buckets.get(place).unwrap_or(&self.0.longer).fetch_add(1, Ordering::Relaxed);
        self.0.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64());
        let counts = self.0.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        bounds.zip(counts).chain([(f64::INFINITY, self.0.longer.load(Ordering::Relaxed))]).collect()
    }
}

impl EncodeMetric for Timing {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let buckets = self.buckets();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_micros(self.0.micros.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Timing {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_from_its_bucket_on() {
        let (timing, mut registry) = (Timing::default(), crate::metrics::registry());
        registry.register("x_seconds", "X", timing.clone());
        for millis in [1, 2, 100_000] {
            timing.note(Duration::from_millis(millis));
        }
        let page = crate::metrics::page(&registry);
        for line in [
            "logmon_x_seconds_bucket{le=\"0.0005\"} 0",
            "logmon_x_seconds_bucket{le=\"0.001\"} 1",
            "logmon_x_seconds_bucket{le=\"60.0\"} 2",
            "logmon_x_seconds_bucket{le=\"+Inf\"} 3",
            "logmon_x_seconds_count 3",
            "logmon_x_seconds_sum 100.003",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}: {page}");
        }
    }
}
