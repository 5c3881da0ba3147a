//! Takes messages into flight for the slots: as many as are free, and a little ahead.

use std::time::Duration;

use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, BrokerError, Fetched, WorkerId};
use logmon_store::metrics::Pulse;

use crate::board::{Board, Next};
use crate::queues::Queues;
use crate::revokes::Revokes;

/// The pause after the first look at empty queues; it doubles up to [`IDLE_MAX`]. A script cannot block, so the
/// queues are asked.
const IDLE_MIN: Duration = Duration::from_millis(5);
const IDLE_MAX: Duration = Duration::from_millis(100);

/// How long a message waits here for a slot before another worker may have it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What fetches for this worker.
pub struct Fetcher {
    /// Redis.
    pub broker: Broker,
    /// On whose behalf.
    pub worker: WorkerId,
    /// From where.
    pub queues: Queues,
    /// For whom.
    pub board: Board,
    /// What is not to be run.
    pub revokes: Revokes,
    /// Until when.
    pub stop: Stop,
    /// Beats at each turn.
    pub pulse: Pulse,
}

impl Fetcher {
    /// Works until the board is closed.
    pub fn run(&self) {
        let mut idle = IDLE_MIN;
        loop {
            self.pulse.beat();
            match self.board.next(PATIENCE) {
                Next::Fetch(count) => idle = self.fetch(count, idle),
                Next::PutBack(fetched) => self.put_back(&fetched),
                Next::Wait => {}
                Next::End(fetched) => return self.put_back(&fetched),
            }
        }
    }

    // Gives the pause after the next look that finds nothing.
    fn fetch(&self, count: usize, idle: Duration) -> Duration {
        let ask = || self.broker.fetch(&self.queues.now(), &self.worker, count);
        let again = || self.put_back_lost().and_then(|()| ask());
        let Some(look) = ask().ok().or_else(|| self.stop.wait_for("Redis", again)) else { return idle };
        if look.buried > 0 {
            log::error!(count = look.buried; "dead letters: no messages at all");
        }
        if look.fetched.is_empty() {
            self.stop.wait(Urgency::Finish, idle);
            return (idle * 2).min(IDLE_MAX);
        }
        let at = look.fetched.first().map(|first| first.at).unwrap_or_default();
        let learn = || self.revokes.learn(&self.broker, look.newest_revoke, at);
        if learn().ok().or_else(|| self.stop.wait_for("Redis", learn)).is_none() {
            self.put_back(&look.fetched);
            return idle;
        }
        self.board.put(look.fetched);
        IDLE_MIN
    }

    // Redis may have done what it could not answer any more.
    fn put_back_lost(&self) -> Result<(), BrokerError> {
        let count = self.broker.put_back_unknown(&self.worker, |tag| self.board.knows(tag))?;
        if count > 0 {
            log::warn!(count; "put back what was fetched without an answer");
        }
        Ok(())
    }

    // The board does not know them any more, so nobody else would do it while this worker lives.
    fn put_back(&self, fetched: &[Fetched]) {
        let tags: Vec<String> = fetched.iter().map(|fetched| fetched.tag.clone()).collect();
        let put_back = || self.broker.put_back(&self.worker, &tags);
        if put_back().ok().or_else(|| self.stop.wait_for("Redis", put_back)).is_none() {
            log::warn!(count = tags.len(); "not put back yet: the worker does so when it ends");
        }
    }
}

#[cfg(test)]
mod tests {
    use logmon_core::tasks::{DEFAULT_QUEUE, Noop, NoopInput, Task as _};
    use logmon_store::testing::TestBroker;
    use logmon_store::testing::private_server::PrivateRedis;
    use logmon_store::testing::process::eventually;

    use super::*;

    #[test]
    fn what_redis_does_not_take_back_now_it_takes_back_later() {
        let redis = PrivateRedis::start();
        let test = TestBroker::on(redis.url());
        for _ in 0..3 {
            let value = serde_json::value::to_raw_value(&1).unwrap();
            test.broker.enqueue(&Noop::call(&NoopInput { value }).unwrap()).unwrap();
        }
        let (queues, worker) = ([DEFAULT_QUEUE.to_owned()], WorkerId("w".to_owned()));
        let fetcher = Fetcher {
            broker: test.broker.clone(),
            worker: worker.clone(),
            queues: Queues::new(&queues),
            board: Board::new(1, 8),
            revokes: Revokes::default(),
            stop: Stop::default(),
            pulse: Pulse::default(),
        };
        let fetched = test.broker.fetch(&fetcher.queues.now(), &worker, 3).unwrap().fetched;
        assert_eq!(fetched.len(), 3);
        redis.refuse_writes();
        std::thread::scope(|scope| {
            scope.spawn(|| fetcher.put_back(&fetched));
            eventually("a refusal", || (redis.refused() > 0).then_some(()));
            redis.take_writes();
        });
        assert_eq!((test.broker.depth(DEFAULT_QUEUE).unwrap(), test.in_flight()), (3, 0));
    }
}
