//! Returns its argument. Twice: the same twice, and nothing else happens.

use logmon_core::tasks::{Noop, NoopInput};
use serde_json::value::RawValue;

use crate::context::Context;
use crate::registry::{Failure, Handle};

impl Handle for Noop {
    fn run(_: &Context, input: NoopInput) -> Result<Box<RawValue>, Failure> {
        Ok(input.value)
    }
}
