//! What people are told, and how each kind of channel is told it: no input and output, which is the worker's business.
//!
//! [`Notification`] is what happened, [`Channel`] where it is told; a kind's file makes an [`Outgoing`] of the two, and says
//! what an answer means.

mod alertmanager;
mod call;
mod channel;
mod config;
mod delivery;
mod dingtalk;
mod email;
mod event;
mod feishu;
mod kind;
mod message;
mod report;
mod sign;
mod slack;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod webhook;
mod wecom;

pub use call::{Answer, Call, Outgoing, Verdict};
pub use channel::{Channel, ChannelId, NewChannel, QuietHours, RateLimit};
pub use config::{ConfigError, Secret};
pub use delivery::{DeliveryId, DeliveryState};
pub use email::Mail;
pub use event::{
    AlertFacts, AppFacts, Digest, EventId, EventKind, Notification, Pattern, Payload, RuleFacts, WindowFacts,
};
pub use kind::{ChannelConfig, ChannelKind};
pub use message::{Link, Message, Wording};
pub use report::{ReportEvent, ReportNotice};
pub use target::{Target, TargetError, Targets};
pub use template::{Template, TemplateError};
