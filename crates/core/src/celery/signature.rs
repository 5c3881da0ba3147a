//! Signatures: calls that are made later, alone or as a chain, a group or a chord.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::envelope::{object, text, write_object};
use super::options::{Options, raw};
use super::{Arguments, Malformed};

/// How deep signatures may lie within each other.
const DEPTH_MAX: usize = 32;

/// A call that is made later.
#[derive(Debug, Clone)]
pub(super) struct Signature {
    pub(super) task: String,
    pub(super) arguments: Arguments,
    pub(super) options: Options,
    pub(super) form: Form,
    pub(super) partial: Partial,
}

/// What a signature calls.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// One task.
    Task,
    /// One after the other, each with the result of the one before.
    Chain(Vec<Signature>),
    /// All at once.
    Group(Vec<Signature>),
    /// All of the header at once, then the body with the list of their results.
    Chord {
        header: Vec<Signature>,
        body: Box<Signature>,
        /// The header's own options: its id among them.
        options: Options,
    },
}

/// Whether a call takes the result of the task before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Partial {
    /// As its first argument.
    Mutable,
    /// It does not.
    Immutable,
}

/// What follows a task, from the third part of its message's body.
#[derive(Debug, Clone, Default)]
pub(super) struct Workflow {
    pub(super) callbacks: Vec<Signature>,
    pub(super) errbacks: Vec<Signature>,
    /// The rest of the chain, the next one last.
    pub(super) chain: Vec<Signature>,
    /// The body of the chord in whose header the task is.
    pub(super) chord: Option<Signature>,
}

#[derive(Deserialize)]
struct RawSignature<'a> {
    #[serde(borrow)]
    task: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
    #[serde(borrow)]
    kwargs: Option<&'a RawValue>,
    #[serde(borrow)]
    options: Option<&'a RawValue>,
    #[serde(borrow)]
    subtask_type: Option<&'a RawValue>,
    #[serde(borrow)]
    immutable: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawWorkflow<'a> {
    #[serde(borrow)]
    callbacks: Option<&'a RawValue>,
    #[serde(borrow)]
    errbacks: Option<&'a RawValue>,
    #[serde(borrow)]
    chain: Option<&'a RawValue>,
    #[serde(borrow)]
    chord: Option<&'a RawValue>,
}

fn wrong(what: &str) -> Malformed {
    Malformed::Signature(what.to_owned())
}

impl Workflow {
    /// Reads the embed; `None` when nothing follows.
    pub(super) fn read(embed: &RawValue) -> Result<Option<Self>, Malformed> {
        let parts: RawWorkflow<'_> = object(&mut serde_json::Deserializer::from_str(embed.get()))
            .map_err(|e| Malformed::Body(format!("is not [args, kwargs, embed] as JSON: embed: {e}")))?;
        let list = |raw: Option<&RawValue>| raw.map_or(Ok(Vec::new()), |raw| Signature::read_list(raw, 0));
        let within = |name, malformed: Malformed| Malformed::Signature(format!("in its {name}: {malformed}"));
        let workflow = Self {
            callbacks: list(parts.callbacks).map_err(|e| within("callbacks", e))?,
            errbacks: list(parts.errbacks).map_err(|e| within("errbacks", e))?,
            chain: list(parts.chain).map_err(|e| within("chain", e))?,
            chord: parts.chord.map(|raw| Signature::read(raw, 0)).transpose().map_err(|e| within("chord", e))?,
        };
        let nothing = workflow.callbacks.is_empty()
            && workflow.errbacks.is_empty()
            && workflow.chain.is_empty()
            && workflow.chord.is_none();
        Ok(if nothing { None } else { Some(workflow) })
    }
}

impl Signature {
    pub(super) fn read(json: &RawValue, depth: usize) -> Result<Self, Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::Signature(format!("signatures lie more than {DEPTH_MAX} deep in each other")));
        }
        let parts: RawSignature<'_> = object(&mut serde_json::Deserializer::from_str(json.get()))
            .map_err(|e| Malformed::Signature(format!("a signature must be an object: {e}")))?;
        let task = parts.task.and_then(text).ok_or_else(|| wrong("the task of a signature must be text"))?.into_owned();
        let (args, kwargs) = (parts.args.map_or("[]", RawValue::get), parts.kwargs.map_or("{}", RawValue::get));
        let mut arguments = Arguments::from_json(args, kwargs)
            .map_err(|e| Malformed::Signature(format!("the arguments of a signature are wrong: {e}")))?;
        let form = match parts.subtask_type.map(|raw| text(raw).unwrap_or_default()).as_deref() {
            None => Form::Task,
            Some("chain") => Form::Chain(Self::read_tasks(&mut arguments, depth)?),
            Some("group") => Form::Group(Self::read_tasks(&mut arguments, depth)?),
            Some("chord") => Self::read_chord(&mut arguments, depth)?,
            Some(_) => return Err(wrong("the subtask_type of a signature must be null, chain, group or chord")),
        };
        Ok(Self {
            task,
            arguments,
            options: parts.options.map_or(Ok(Options::default()), |raw| Options::read(raw, depth + 1))?,
            form,
            partial: match parts.immutable.map(RawValue::get) {
                Some("true") => Partial::Immutable,
                Some("false") | None => Partial::Mutable,
                Some(_) => return Err(wrong("`immutable` of a signature must be true or false")),
            },
        })
    }

    /// One signature or a list of them, as Celery takes either.
    pub(super) fn read_list(json: &RawValue, depth: usize) -> Result<Vec<Self>, Malformed> {
        if json.get().starts_with('{') {
            return Ok(vec![Self::read(json, depth)?]);
        }
        let list: Vec<&RawValue> =
            serde_json::from_str(json.get()).ok().ok_or_else(|| wrong("a list of signatures is expected"))?;
        list.into_iter().map(|signature| Self::read(signature, depth)).collect()
    }

    fn read_tasks(arguments: &mut Arguments, depth: usize) -> Result<Vec<Self>, Malformed> {
        let tasks = arguments.take_named("tasks").ok_or_else(|| wrong("a chain or group must have `tasks`"))?;
        Self::read_list(&tasks, depth + 1)
    }

    fn read_chord(arguments: &mut Arguments, depth: usize) -> Result<Form, Malformed> {
        let part = |arguments: &mut Arguments, name: &str| {
            arguments.take_named(name).ok_or_else(|| wrong("a chord must have `header` and `body`"))
        };
        let body = Box::new(Self::read(&part(arguments, "body")?, depth + 1)?);
        let mut header = Self::read_list(&part(arguments, "header")?, depth + 1)?;
        let group = header.pop_if(|signature| matches!(signature.form, Form::Group(_)));
        Ok(match group {
            Some(Self { form: Form::Group(tasks), options, .. }) if header.is_empty() => {
                Form::Chord { header: tasks, body, options }
            }
            other => {
                header.extend(other);
                Form::Chord { header, body, options: Options::default() }
            }
        })
    }

    /// A group of these, which Celery makes of several callbacks.
    pub(super) fn group(tasks: Vec<Self>) -> Self {
        Self {
            task: "celery.group".to_owned(),
            arguments: Arguments::default(),
            options: Options::default(),
            form: Form::Group(tasks),
            partial: Partial::Mutable,
        }
    }

    /// A chord of these: what a chain makes of a group and the task after it.
    pub(super) fn chord(header: Vec<Self>, options: Options, body: Self) -> Self {
        Self {
            task: "celery.chord".to_owned(),
            arguments: Arguments::default(),
            options: Options::default(),
            form: Form::Chord { header, body: Box::new(body), options },
            partial: Partial::Mutable,
        }
    }

    /// The signature as it lies in a message.
    pub(super) fn write(&self) -> Box<RawValue> {
        let (args, kwargs) = self.arguments.write_json();
        let (kind, kwargs) = match &self.form {
            Form::Task => ("null", kwargs),
            Form::Chain(tasks) => ("\"chain\"", with_entry(&kwargs, "tasks", &write_list(tasks))),
            Form::Group(tasks) => ("\"group\"", with_entry(&kwargs, "tasks", &write_list(tasks))),
            Form::Chord { header, body, options } => {
                let mut group = Self::group(header.clone());
                group.options = options.clone();
                let kwargs = with_entry(&kwargs, "header", &group.write());
                ("\"chord\"", with_entry(&kwargs, "body", &body.write()))
            }
        };
        let options =
            write_object(self.options.0.iter().map(|(name, value)| Some((name.as_str(), value.get().into()))));
        let parts: [(&str, Cow<'_, str>); 6] = [
            ("task", Value::from(self.task.as_str()).to_string().into()),
            ("args", args.into()),
            ("kwargs", kwargs.into()),
            ("options", options.unwrap_or_default().into()),
            ("subtask_type", kind.into()),
            ("immutable", if self.partial == Partial::Immutable { "true" } else { "false" }.into()),
        ];
        raw(write_object(parts.into_iter().map(Some)).unwrap_or_default())
    }
}

/// A list of signatures as it lies in a message.
pub(super) fn write_list(signatures: &[Signature]) -> Box<RawValue> {
    let items: Vec<_> = signatures.iter().map(Signature::write).collect();
    let items: Vec<&str> = items.iter().map(|item| item.get()).collect();
    raw(format!("[{}]", items.join(", ")))
}

fn with_entry(object: &str, name: &str, value: &RawValue) -> String {
    let rest = object.strip_prefix('{').unwrap_or(object);
    let comma = if rest == "}" { "" } else { ", " };
    format!("{{\"{name}\": {}{comma}{rest}", value.get())
}
