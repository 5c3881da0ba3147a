//! Signatures get their ids before they are sent, so that whoever waits for them can be told: Celery's `freeze`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::TaskId;
use super::envelope::text;
use super::options::{Options, raw};
use super::result::ResultNode;
use super::signature::{Form, Signature, write_list};

/// What a signature is told: its id, where it has none, and the group and chord that its result counts for.
#[derive(Debug, Clone, Default)]
pub(super) struct Frozen {
    pub(super) id: Option<String>,
    pub(super) group: Option<String>,
    pub(super) index: Option<usize>,
    pub(super) chord: Option<Box<RawValue>>,
}

impl Frozen {
    /// What the options of a chain say, which its last step is told.
    pub(super) fn taken_from(options: &mut Options) -> Self {
        let mut taken = |name: &str| options.take(name);
        let index = taken("group_index").and_then(|raw| raw.get().parse().ok());
        let chord = taken("chord");
        let mut named = |name: &str| taken(name).as_deref().and_then(text).map(Cow::into_owned);
        Self { id: named("task_id"), group: named("group_id"), index, chord }
    }
}

impl Signature {
    /// Gives an id to every task in it that has none.
    pub(super) fn freeze(&mut self, place: &Frozen) -> ResultNode {
        match &mut self.form {
            Form::Chain(steps) => {
                *steps = unroll(std::mem::take(steps));
                freeze_chain(steps, place)
            }
            Form::Chord { header, body, options } => {
                let id = id_of(options, None);
                *header = flatten(std::mem::take(header));
                let members = header.iter_mut().enumerate().map(|(index, task)| task.freeze(&Frozen::at(index)));
                let members = members.collect();
                body.freeze(place).after(&ResultNode::group(id, members))
            }
            Form::Group(tasks) => {
                let id = id_of(&mut self.options, place.id.as_deref());
                *tasks = flatten(std::mem::take(tasks));
                let of = |index| Frozen { id: None, index: Some(index), ..place.clone() };
                let members = tasks.iter_mut().enumerate().map(|(index, task)| task.freeze(&of(index))).collect();
                place.write(&mut self.options);
                ResultNode::group(id, members)
            }
            Form::Task => {
                let id = id_of(&mut self.options, place.id.as_deref());
                place.write(&mut self.options);
                ResultNode::task(TaskId(id))
            }
        }
    }

    /// How many results a chord waits for because of it.
    pub(super) fn weight(&self) -> usize {
        match &self.form {
            Form::Task => 1,
            Form::Group(tasks) => tasks.iter().map(Self::weight).sum(),
            Form::Chain(steps) => steps.iter().rev().map(Self::weight).find(|weight| *weight > 0).unwrap_or(0),
            Form::Chord { body, .. } => body.weight(),
        }
    }

    /// Adds callbacks to an option that is a list of them.
    pub(super) fn add(&mut self, option: &str, callbacks: &[Self]) {
        if !callbacks.is_empty() {
            let mut all = self.options.signatures(option);
            all.extend_from_slice(callbacks);
            self.options.set(option, write_list(&all));
        }
    }
}

impl Frozen {
    fn at(index: usize) -> Self {
        Self { index: Some(index), ..Self::default() }
    }

    fn write(&self, options: &mut Options) {
        if let Some(group) = self.group.as_deref().filter(|_| options.get("group_id").is_none()) {
            options.set_text("group_id", group);
        }
        if let Some(index) = self.index {
            options.set("group_index", raw(index.to_string()));
        }
        if let Some(chord) = &self.chord {
            options.set("chord", chord.clone());
        }
    }
}

fn id_of(options: &mut Options, id: Option<&str>) -> String {
    options.text("task_id").unwrap_or_else(|| {
        let id = id.map_or_else(|| TaskId::random().0, str::to_owned);
        options.set_text("task_id", &id);
        id
    })
}

/// Freezes the steps of a chain: its last one is what others know the chain by.
pub(super) fn freeze_chain(steps: &mut [Signature], place: &Frozen) -> ResultNode {
    let last = steps.len().saturating_sub(1);
    let mut before: Option<ResultNode> = None;
    for (at, step) in steps.iter_mut().enumerate() {
        let node = if at == last { step.freeze(place) } else { step.freeze(&Frozen::default()) };
        before = Some(match &before {
            Some(before) => node.after(before),
            None => node,
        });
    }
    before.unwrap_or_else(|| ResultNode::task(TaskId::random()))
}

/// The steps of a chain without chains among them; a group with a step after it becomes a chord with that as its body.
pub(super) fn unroll(steps: Vec<Signature>) -> Vec<Signature> {
    let mut flat: Vec<Signature> = Vec::new();
    let mut left: Vec<Signature> = steps.into_iter().rev().collect();
    while let Some(mut step) = left.pop() {
        match &mut step.form {
            Form::Chain(steps) => left.extend(std::mem::take(steps).into_iter().rev()),
            Form::Group(tasks) if tasks.len() == 1 => left.extend(tasks.pop()),
            Form::Group(_) | Form::Task | Form::Chord { .. } => flat.push(step),
        }
    }
    let mut steps: Vec<Signature> = Vec::new();
    // From the end, so that a body is whole before its header comes.
    while let Some(step) = flat.pop() {
        match (step, steps.pop()) {
            (Signature { form: Form::Group(tasks), .. }, Some(next)) if tasks.is_empty() => steps.push(next),
            (Signature { form: Form::Group(tasks), options, .. }, Some(body)) => {
                steps.push(Signature::chord(tasks, options, body));
            }
            (step, next) => {
                steps.extend(next);
                steps.push(step);
            }
        }
    }
    steps.reverse();
    steps
}

/// The tasks of a group without groups and empty chains among them.
pub(super) fn flatten(tasks: Vec<Signature>) -> Vec<Signature> {
    let mut flat = Vec::new();
    for task in tasks {
        match task.form {
            Form::Group(tasks) => flat.extend(flatten(tasks)),
            Form::Chain(ref steps) if steps.is_empty() => {}
            Form::Chain(_) | Form::Task | Form::Chord { .. } => flat.push(task),
        }
    }
    flat
}
