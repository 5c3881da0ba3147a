//! Ids among the parameters of a URL.

use crate::python::{self, Int};

/// Reads the values of a parameter that are the ids of `what`, such as "an app", in their order. A number past 64 bits is that
/// of nothing.
///
/// # Errors
/// The messages for the parameter.
pub fn ids<'a, T>(
    values: impl IntoIterator<Item = &'a str>,
    what: &str,
    id: impl Fn(i64) -> T,
) -> Result<Vec<T>, Vec<String>> {
    let read = |text: &str| match python::int(text) {
        Some(Int::Small(number)) => Ok(id(number)),
        Some(Int::Big) => Ok(id(-1)),
        None => Err(vec![format!("\"{text}\" is not the id of {what}: a number is expected.")]),
    };
    values.into_iter().map(read).collect()
}
