//! Evaluates one rule for one app as of now, as the check of all of them does, and nothing of any other app. Twice: the second
//! finds the open alert and raises none; where both run at once, the lock on the app lets one of them raise it.

use logmon_core::tasks::{CheckApp, CheckedApp};

use crate::context::Context;
use crate::evaluation::evaluate_app;
use crate::registry::{Failure, Handle};

impl Handle for CheckApp {
    fn run(context: &Context, CheckedApp { app, rule }: CheckedApp) -> Result<u64, Failure> {
        evaluate_app(context, app, rule)
    }
}
