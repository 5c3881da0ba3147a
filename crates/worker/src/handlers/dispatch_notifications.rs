//! Gives what waits in the outbox to those who send it. Twice: a channel is used by one task at a time, and the other
//! finds it in use or finds nothing left.

use logmon_core::tasks::{ChannelInput, DispatchNotifications, NoInput, SendNotifications, Task as _};
use logmon_store::db::deliveries;

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for DispatchNotifications {
    fn run(context: &Context, _: NoInput) -> Result<u64, Failure> {
        context.may_go_on()?;
        let channels = deliveries::due_channels(&mut *context.database.get()?, context.clock.now())?;
        let mut called = 0;
        for channel in channels {
            context.may_go_on()?;
            let task = SendNotifications::call(&ChannelInput { channel })
                .map_err(|error| Failure::BadArguments(error.to_string()))?;
            context.broker.enqueue(&task)?;
            called += 1;
        }
        Ok(called)
    }
}
