//! A task's arguments: positional and named, kept as raw JSON so that nothing in them changes on the way.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::python::{self, Entries};

/// The arguments of a task.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    args: Vec<Box<RawValue>>,
    kwargs: Vec<(String, Box<RawValue>)>,
}

/// The arguments do not fit the task, in the words that Python would use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadArguments(pub String);

impl Arguments {
    /// Arguments from two JSON texts, a list and an object.
    ///
    /// # Errors
    /// When `args` is no JSON list or `kwargs` no JSON object.
    pub fn from_json(args: &str, kwargs: &str) -> Result<Self, BadArguments> {
        let args = serde_json::from_str(args)
            .map_err(|e| BadArguments(format!("args must be a JSON list such as [1, \"a\"]: {e}")))?;
        let kwargs: Entries<'_> = serde_json::from_str(kwargs)
            .map_err(|e| BadArguments(format!("kwargs must be a JSON object such as {{\"a\": 1}}: {e}")))?;
        let kwargs = kwargs.0.into_iter().map(|(name, value)| (name.into_owned(), value.to_owned())).collect();
        Ok(Self { args, kwargs })
    }

    /// The named arguments that a task's input is made of: each field by its name.
    ///
    /// # Errors
    /// When `input` does not serialise to an object.
    pub fn named<T: Serialize>(input: &T) -> Result<Self, BadArguments> {
        let json = serde_json::to_string(input).map_err(|e| BadArguments(e.to_string()))?;
        Self::from_json("[]", &json)
    }

    /// The input of a task whose parameters have these names, as Python binds a call.
    ///
    /// # Errors
    /// When there are too many, unknown or doubled arguments, or when a value has the wrong type.
    pub fn bind<T: DeserializeOwned>(&self, parameters: &[&str]) -> Result<T, BadArguments> {
        if self.args.len() > parameters.len() {
            let (given, taken) = (self.args.len(), parameters.len());
            return Err(BadArguments(format!("takes {taken} positional arguments but {given} were given")));
        }
        let mut json = String::from("{");
        let mut write = |name: &str, value: &RawValue| {
            if json.len() > 1 {
                json.push(',');
            }
            json.push('"');
            json.push_str(name);
            json.push_str("\":");
            json.push_str(value.get());
        };
        for (name, value) in parameters.iter().zip(&self.args) {
            write(name, value);
        }
        for (name, value) in &self.kwargs {
            match parameters.iter().position(|parameter| parameter == name) {
                None => return Err(BadArguments(format!("got an unexpected keyword argument '{name}'"))),
                Some(at) if at < self.args.len() => {
                    return Err(BadArguments(format!("got multiple values for argument '{name}'")));
                }
                Some(_) => write(name, value),
            }
        }
        json.push('}');
        serde_json::from_str(&json).map_err(|e| BadArguments(in_pythons_words(&e)))
    }

    /// `repr` of the positional arguments as Python's tuple: for people, in Celery's `argsrepr`.
    pub fn args_repr(&self) -> String {
        let items: Vec<String> = self.args.iter().map(|value| python::repr(value)).collect();
        match items.as_slice() {
            [one] => shorten(format!("({one},)")),
            items => shorten(format!("({})", items.join(", "))),
        }
    }

    /// `repr` of the named arguments as Python's dict: for people, in Celery's `kwargsrepr`.
    pub fn kwargs_repr(&self) -> String {
        let items: Vec<String> =
            self.kwargs.iter().map(|(name, value)| format!("'{name}': {}", python::repr(value))).collect();
        shorten(format!("{{{}}}", items.join(", ")))
    }

    /// One positional argument: as a callback gets the result of the task before it.
    pub(super) fn one(value: &RawValue) -> Self {
        Self { args: vec![value.to_owned()], kwargs: Vec::new() }
    }

    /// The arguments with those that a call adds: its positional ones come first, its named ones win.
    pub(super) fn called_with(mut self, call: &Self) -> Self {
        self.args.splice(0..0, call.args.iter().cloned());
        self.kwargs.retain(|(name, _)| !call.kwargs.iter().any(|(given, _)| given == name));
        self.kwargs.extend(call.kwargs.iter().cloned());
        self
    }

    /// The named argument of that name, taken out.
    pub(super) fn take_named(&mut self, name: &str) -> Option<Box<RawValue>> {
        let at = self.kwargs.iter().position(|(own, _)| own == name)?;
        Some(self.kwargs.remove(at).1)
    }

    /// The positional and the named arguments as values, for people: numbers beyond 64 bits are rounded.
    pub fn to_values(&self) -> (Value, Value) {
        let value = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).unwrap_or_default();
        let kwargs: Map<String, Value> = self.kwargs.iter().map(|(name, raw)| (name.clone(), value(raw))).collect();
        (self.args.iter().map(|raw| value(raw)).collect(), kwargs.into())
    }

    pub(super) fn write_json(&self) -> (String, String) {
        let args: Vec<&str> = self.args.iter().map(|value| value.get()).collect();
        let mut kwargs = Vec::new();
        for (name, value) in &self.kwargs {
            let name = Value::String(name.clone());
            kwargs.push(format!("{name}:{}", value.get()));
        }
        (format!("[{}]", args.join(",")), format!("{{{}}}", kwargs.join(",")))
    }

    pub(super) fn from_body(args: &RawValue, kwargs: &RawValue) -> Result<Self, BadArguments> {
        Self::from_json(args.get(), kwargs.get())
    }
}

fn in_pythons_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    missing.map_or(text.clone(), |name| format!("missing 1 required positional argument: '{name}'"))
}

// Celery's bound for the two headers.
fn shorten(text: String) -> String {
    const MAX: usize = 1024;
    if text.chars().count() <= MAX {
        return text;
    }
    text.chars().take(MAX - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Input {
        a: i64,
        #[serde(default)]
        b: Option<String>,
    }

    fn bind(args: &str, kwargs: &str) -> Result<Input, String> {
        Arguments::from_json(args, kwargs).unwrap().bind(&["a", "b"]).map_err(|e| e.0)
    }

    #[test]
    fn arguments_bind_as_in_python() {
        assert_eq!(bind("[1]", "{\"b\":\"x\"}"), Ok(Input { a: 1, b: Some("x".to_owned()) }));
        assert_eq!(bind("[]", "{\"a\":2}"), Ok(Input { a: 2, b: None }));
        assert_eq!(bind("[1,\"x\",3]", "{}").unwrap_err(), "takes 2 positional arguments but 3 were given");
        assert_eq!(bind("[1]", "{\"a\":2}").unwrap_err(), "got multiple values for argument 'a'");
        assert_eq!(bind("[1]", "{\"c\":2}").unwrap_err(), "got an unexpected keyword argument 'c'");
        assert_eq!(bind("[]", "{}").unwrap_err(), "missing 1 required positional argument: 'a'");
    }

    #[test]
    fn numbers_beyond_64_bits_survive() {
        let arguments = Arguments::from_json("[123456789012345678901234567890]", "{}").unwrap();
        assert_eq!(arguments.write_json().0, "[123456789012345678901234567890]");
        assert_eq!(arguments.args_repr(), "(123456789012345678901234567890,)");
    }

    #[test]
    fn reprs_are_pythons() {
        let arguments = Arguments::from_json("[2, \"a'b\", null]", "{\"y\": 3}").unwrap();
        assert_eq!(arguments.args_repr(), "(2, \"a'b\", None)");
        assert_eq!(arguments.kwargs_repr(), "{'y': 3}");
        assert_eq!(Arguments::default().args_repr(), "()");
    }
}
