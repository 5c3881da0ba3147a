//! Tells what a channel has to tell. Twice: one task at a time uses a channel, and what it has told is told no more; where it
//! dies between the telling and its record, the same event is told again with the same id.

use std::time::Duration;

use chrono::{DateTime, Utc};
use logmon_core::notification::{Channel, ChannelId, DeliveryId, Digest, Payload, RateLimit, Verdict};
use logmon_core::tasks::retry::backoff;
use logmon_core::tasks::{ChannelInput, SendNotifications, Task as _};
use logmon_store::db::channels::{self, OpenChannelError};
use logmon_store::db::deliveries::{self, Attempt, Due, Next};
use logmon_store::db::{Connection, DbError};
use uuid::Uuid;

use crate::context::Context;
use crate::registry::{Failure, Handle};

/// How long a claim holds that is not renewed: longer than any message takes.
const CLAIM: Duration = Duration::from_secs(90);
/// How long one task goes on; what is left then is another's.
const TURN: Duration = Duration::from_secs(20);
/// How many deliveries are looked at at once, and so how many one message tells at most.
const AT_ONCE: u32 = 500;
/// After so many tries in vain, which take some two hours, a delivery is given up.
const ATTEMPTS_MAX: u32 = 24;
/// The time for which a rate limit counts.
const MINUTE: Duration = Duration::from_secs(60);

impl Handle for SendNotifications {
    fn run(context: &Context, input: ChannelInput) -> Result<u64, Failure> {
        context.may_go_on()?;
        let mut conn = context.database.get()?;
        let mut turn = Turn { context, conn: &mut conn, id: input.channel, owner: Uuid::new_v4(), delivered: 0 };
        if !turn.claim()? {
            return Ok(0);
        }
        let done = turn.run();
        channels::release(turn.conn, turn.id, turn.owner)?;
        if done? == Left::Some {
            let task = SendNotifications::call(&input).map_err(|error| Failure::BadArguments(error.to_string()))?;
            context.broker.enqueue(&task)?;
        }
        Ok(turn.delivered)
    }
}

/// Whether there is more to tell at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Some,
}

/// One task's use of a channel.
struct Turn<'a> {
    context: &'a Context,
    conn: &'a mut Connection,
    id: ChannelId,
    owner: Uuid,
    delivered: u64,
}

impl Turn<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.context.clock.now()
    }

    fn claim(&mut self) -> Result<bool, DbError> {
        let now = self.now();
        channels::claim(self.conn, self.id, self.owner, now, now + CLAIM)
    }

    fn run(&mut self) -> Result<Left, Failure> {
        let channel = match channels::open(self.conn, self.id, self.context.channels.sealer.as_ref()) {
            Ok(Some(channel)) => channel,
            Ok(None) => return Ok(Left::Nothing),
            Err(OpenChannelError::Db(error)) => return Err(error.into()),
            Err(error) => {
                log::error!(channel_id = self.id.0; "a channel cannot be used: {error}");
                self.fail_all(&error.to_string())?;
                return Ok(Left::Nothing);
            }
        };
        let end = self.now() + TURN;
        loop {
            self.context.may_go_on()?;
            let now = self.now();
            if let Some(until) = channel.settings.quiet_hours.and_then(|quiet| quiet.end(now, self.context.zone)) {
                deliveries::postpone(self.conn, self.id, now, until)?;
                return Ok(Left::Nothing);
            }
            let due = deliveries::due(self.conn, self.id, now, AT_ONCE)?;
            let Some(first) = due.first() else { return Ok(Left::Nothing) };
            if self.group(&channel, first, now)? {
                continue;
            }
            match self.allowed(channel.settings.rate_limit, now)? {
                Some(0) => return Ok(Left::Nothing),
                // The last message that is allowed tells all that is left.
                Some(1) if due.len() > 1 && self.fold(&due, now)? => continue,
                Some(_) | None => self.tell(&channel, first)?,
            }
            if self.now() >= end || !self.claim()? {
                return Ok(Left::Some);
            }
        }
    }

    /// How many messages the rate limit allows now.
    fn allowed(&mut self, limit: Option<RateLimit>, now: DateTime<Utc>) -> Result<Option<u64>, DbError> {
        let Some(limit) = limit else { return Ok(None) };
        let used = deliveries::used_since(self.conn, self.id, now - MINUTE)?;
        Ok(Some(u64::from(limit.0.get()).saturating_sub(used)))
    }

    /// Puts what happened together, as far as the channel waits for it, into one message; false when there is only one such.
    fn group(&mut self, channel: &Channel, first: &Due, now: DateTime<Utc>) -> Result<bool, DbError> {
        let settings = &channel.settings;
        let Some(wait) = settings.group_wait.filter(|_| first.attempts == 0) else { return Ok(false) };
        let mut group = deliveries::untried(self.conn, self.id, now + wait, AT_ONCE)?;
        if let Some(limit) = settings.config.kind().group_limit() {
            group.truncate(limit);
        }
        self.fold(&group, now)
    }

    /// Puts one message in the place of these; false when there are no two that tell one event each.
    fn fold(&mut self, due: &[Due], now: DateTime<Utc>) -> Result<bool, DbError> {
        let single = |due: &Due| match serde_json::from_str(&due.payload) {
            Ok(Payload::One(event)) => Some((due.id, *event)),
            _ => None,
        };
        let (ids, events): (Vec<DeliveryId>, Vec<_>) = due.iter().filter_map(single).unzip();
        if ids.len() < 2 {
            return Ok(false);
        }
        deliveries::fold(self.conn, self.id, &ids, &Digest::of(events), now)?;
        Ok(true)
    }

    fn tell(&mut self, channel: &Channel, due: &Due) -> Result<(), Failure> {
        let payload: Payload = match serde_json::from_str(&due.payload) {
            Ok(payload) => payload,
            Err(error) => {
                let attempt = self.no_attempt(&format!("what was to be told cannot be read: {error}"));
                return Ok(deliveries::record(self.conn, self.id, due.id, &attempt, Next::Dead)?);
            }
        };
        let (attempt, verdict, answer) = self.context.channels.tell(channel, &payload, &*self.context.clock);
        let next = match verdict {
            Verdict::Delivered => Next::Delivered,
            Verdict::Refused(reason) => {
                log::warn!(channel_id = self.id.0, delivery_id = due.id.0; "a notification was given up: {reason}");
                Next::Dead
            }
            Verdict::Retry(_) => self.again(due, answer.and_then(|answer| answer.retry_after)),
        };
        deliveries::record(self.conn, self.id, due.id, &attempt, next)?;
        self.delivered += u64::from(next == Next::Delivered);
        Ok(())
    }

    /// When a message that was not taken is tried again.
    fn again(&self, due: &Due, retry_after: Option<Duration>) -> Next {
        if due.attempts + 1 >= ATTEMPTS_MAX {
            log::warn!(channel_id = self.id.0, delivery_id = due.id.0; "a notification was given up after {ATTEMPTS_MAX} tries");
            return Next::Dead;
        }
        let pause = backoff(due.attempts, rand::random()).max(retry_after.unwrap_or_default());
        Next::Retry(self.now() + pause)
    }

    /// Nothing can be told through this channel as it is.
    fn fail_all(&mut self, reason: &str) -> Result<(), DbError> {
        let now = self.now();
        for due in deliveries::due(self.conn, self.id, now, AT_ONCE)? {
            let next = self.again(&due, Some(MINUTE));
            deliveries::record(self.conn, self.id, due.id, &self.no_attempt(reason), next)?;
        }
        Ok(())
    }

    fn no_attempt(&self, reason: &str) -> Attempt {
        Attempt { at: self.now(), status: None, duration_ms: 0, answer: reason.to_owned() }
    }
}
