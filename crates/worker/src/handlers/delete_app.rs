//! Removes an app with everything that is kept of it. Twice: the second finds nothing left to remove.

use logmon_core::tasks::{DeleteApp, DeletedApp};
use logmon_store::db::{apps, log_events, logs};

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for DeleteApp {
    fn run(context: &Context, input: DeletedApp) -> Result<u64, Failure> {
        let mut conn = context.database.get()?;
        let mut deleted = 0;
        // Piece by piece first, so that the last step is short.
        loop {
            context.may_go_on()?;
            match logs::delete_some_of_app(&mut conn, input.app)? {
                0 => break,
                count => deleted += count,
            }
        }
        while log_events::delete_some_of_app(&mut conn, input.app)? > 0 {
            context.may_go_on()?;
        }
        Ok(deleted + apps::delete_with_rest(&mut conn, input.app)?)
    }
}
