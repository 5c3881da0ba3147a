//! Evaluates every rule as of now, without waiting for the end of its window. Twice: the second finds the open alerts and
//! raises none.

use logmon_core::tasks::{CheckErrorLogs, NoInput};

use crate::context::Context;
use crate::evaluation::{Windows, evaluate};
use crate::registry::{Failure, Handle};

impl Handle for CheckErrorLogs {
    fn run(context: &Context, _: NoInput) -> Result<u64, Failure> {
        evaluate(context, Windows::EndedAndRunning)
    }
}
