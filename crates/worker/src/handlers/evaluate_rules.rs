//! Evaluates the rules whose windows have ended. Twice: the second finds the windows in the ledger and raises nothing.

use logmon_core::tasks::{EvaluateRules, NoInput};

use crate::context::Context;
use crate::evaluation::{Windows, evaluate};
use crate::registry::{Failure, Handle};

impl Handle for EvaluateRules {
    fn run(context: &Context, _: NoInput) -> Result<u64, Failure> {
        evaluate(context, Windows::Ended)
    }
}
