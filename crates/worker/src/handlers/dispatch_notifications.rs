//! Gives what waits in the outbox to those who send it, after what silences have ended for, and alerts that go on unheeded, were
//! put there. Twice: an alert is looked at again under its lock, a channel is used by one task at a time, and the other finds it
//! in use or finds nothing left.

use logmon_core::tasks::{ChannelInput, DispatchNotifications, NoInput, SendNotifications, Task as _};
use logmon_store::db::{alerts, deliveries};

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for DispatchNotifications {
    fn run(context: &Context, _: NoInput) -> Result<u64, Failure> {
        settle(context)?;
        context.may_go_on()?;
        tell_again(context)?;
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

fn tell_again(context: &Context) -> Result<(), Failure> {
    let mut conn = context.database.get()?;
    for alert in alerts::unheeded(&mut conn, context.clock.now())? {
        context.may_go_on()?;
        let count = alerts::repeat(&mut conn, alert, context.clock.now())?;
        if count > 0 {
            log::info!(alert_id = alert.0, count; "an alert that goes on unheeded is told again");
        }
    }
    Ok(())
}

/// Notes which alerts a silence has begun for, and has told what was kept back of those that none is for any more, or that flapped
/// and have calmed down.
fn settle(context: &Context) -> Result<(), Failure> {
    context.may_go_on()?;
    let (mut conn, now) = (context.database.get()?, context.clock.now());
    for alert in alerts::unsettled(&mut conn, now)? {
        context.may_go_on()?;
        alerts::settle(&mut conn, alert, now)?;
    }
    Ok(())
}
