//! Removes an app with everything that is kept of it. Twice: the second finds nothing left to remove.

use logmon_core::tasks::{DeleteApp, DeletedApp};
use logmon_store::db::{Connection, alerts, apps, log_summaries, logs};

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for DeleteApp {
    fn run(context: &Context, input: DeletedApp) -> Result<u64, Failure> {
        let mut conn = context.database.get()?;
        let mut deleted = delete_logs(&mut conn, &input)?;
        alerts::delete_of_app(&mut conn, input.app)?;
        log_summaries::delete_of_app(&mut conn, input.app)?;
        apps::delete(&mut conn, input.app)?;
        // What was stored between the first look and the end of the app.
        deleted += delete_logs(&mut conn, &input)?;
        Ok(deleted)
    }
}

fn delete_logs(conn: &mut Connection, input: &DeletedApp) -> Result<u64, Failure> {
    let mut deleted = 0;
    loop {
        match logs::delete_some_of_app(conn, input.app)? {
            0 => return Ok(deleted),
            count => deleted += count,
        }
    }
}
