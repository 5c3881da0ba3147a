//! Tries a channel out. Twice: two test messages with ids of their own, which harm nobody; nothing else changes.

use logmon_core::alert::AlertId;
use logmon_core::app::AppId;
use logmon_core::language::Language;
use logmon_core::notification::{
    AlertFacts, AppFacts, Channel, EventId, EventKind, Notification, Payload, RuleFacts, Verdict, WindowFacts,
};
use logmon_core::tasks::{ChannelInput, TestChannel, Tested};
use logmon_store::db::channels::{self, OpenChannelError};

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for TestChannel {
    fn run(context: &Context, input: ChannelInput) -> Result<Tested, Failure> {
        context.may_go_on()?;
        let opened = channels::open(&mut *context.database.get()?, input.channel, context.channels.sealer.as_ref());
        let channel = match opened {
            Ok(Some(channel)) => channel,
            Ok(None) => return Ok(failed("there is no such channel")),
            Err(OpenChannelError::Db(error)) => return Err(error.into()),
            Err(error) => return Ok(failed(&error.to_string())),
        };
        let payload = Payload::One(Box::new(sample(context, &channel)));
        let (attempt, verdict, _) = context.channels.tell(&channel, &payload, &*context.clock);
        let reason = match verdict {
            Verdict::Delivered => None,
            Verdict::Retry(reason) | Verdict::Refused(reason) => Some(reason),
        };
        Ok(Tested {
            delivered: reason.is_none(),
            reason,
            status: attempt.status,
            duration_ms: attempt.duration_ms,
            answer: attempt.answer,
        })
    }
}

fn failed(reason: &str) -> Tested {
    Tested { delivered: false, reason: Some(reason.to_owned()), status: None, duration_ms: 0, answer: String::new() }
}

fn sample(context: &Context, channel: &Channel) -> Notification {
    let (now, name) = (context.clock.now(), &channel.settings.name);
    let content = match context.channels.wording().language {
        Language::En => format!("This is a test of the channel {name:?}. Nothing is wrong."),
        Language::ZhCn => format!("这是渠道“{name}”的测试消息，一切正常。"),
    };
    Notification {
        event_id: EventId::new(),
        event: EventKind::Test,
        at: now,
        alert: AlertFacts {
            id: AlertId(0),
            content,
            severity: "info".to_owned(),
            is_late: false,
            opened_at: now,
            resolved_at: None,
        },
        rule: RuleFacts { id: 0, name: "test".to_owned(), level: "INFO".to_owned() },
        app: AppFacts { id: AppId(0), name: "LogMon".to_owned(), owner: String::new() },
        window: WindowFacts { start: now, end: now, count: 0, threshold: 0 },
        samples: Vec::new(),
        query: "/api/logs/".to_owned(),
        actor: None,
        note: None,
    }
}
