//! Signatures become messages, as Celery's `canvas` does it: chains, groups and chords within each other.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::envelope::text;
use super::freeze::{Frozen, flatten, freeze_chain, unroll};
use super::new_task::Place;
use super::options::{Options, after, raw};
use super::result::ResultNode;
use super::signature::{Form, Partial, Signature, write_list};
use super::{Arguments, Limits, NewTask, Priority, ResultPolicy, TaskId};
use crate::tasks::{self, DEFAULT_QUEUE};

/// A chord that begins: what its counter starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChord {
    /// The group of its header.
    pub group: String,
    /// How many results it waits for.
    pub size: usize,
    /// The header's results as a saved `GroupResult`, where one of them is a group itself.
    pub structure: Option<String>,
}

/// What signatures become.
#[derive(Debug)]
pub(super) struct Canvas {
    now: DateTime<Utc>,
    pub(super) messages: Vec<NewTask>,
    pub(super) chords: Vec<NewChord>,
}

/// What was sent, and where its result will be.
pub(super) struct Applied {
    /// What the sender calls its child.
    pub(super) sent: ResultNode,
    result: ResultNode,
}

impl Canvas {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self { now, messages: Vec::new(), chords: Vec::new() }
    }

    /// Sends a signature, called with `call`; `over` are options that the caller sets.
    pub(super) fn apply(&mut self, signature: &Signature, call: &Arguments, over: &Options) -> Applied {
        let options = signature.options.merge(over);
        let arguments = match signature.partial {
            Partial::Mutable => signature.arguments.clone().called_with(call),
            Partial::Immutable => signature.arguments.clone(),
        };
        match &signature.form {
            Form::Task => self.task(&signature.task, arguments, options),
            Form::Chain(steps) => self.chain(steps.clone(), &arguments, options),
            Form::Group(tasks) => self.group(tasks, &arguments, options),
            Form::Chord { header, body, options: of_header } => {
                self.chord(header, (**body).clone(), of_header, arguments, options)
            }
        }
    }

    fn task(&mut self, name: &str, arguments: Arguments, mut options: Options) -> Applied {
        let id = options.text("task_id").map_or_else(TaskId::random, TaskId);
        let queue = queue_of(name, &options);
        let mut task = NewTask { id, ..NewTask::new(name, queue, arguments) };
        let limit = |name: &str| options.number(name).and_then(|s| Duration::try_from_secs_f64(s).ok());
        task.limits = Limits { hard: limit("time_limit"), soft: limit("soft_time_limit") };
        task.priority = options.whole("priority").map(Priority::new).unwrap_or_default();
        let countdown = options.number("countdown").filter(|seconds| *seconds != 0.0);
        task.eta = countdown.map_or_else(|| options.moment("eta", self.now), |seconds| after(self.now, seconds));
        task.expires = options.moment("expires", self.now);
        if options.flag("ignore_result") {
            task.result = ResultPolicy::Ignore;
        }
        let stamped = options.texts("stamped_headers");
        let stamps =
            stamped.into_iter().filter_map(|name| options.get(&name).map(|raw| (name.clone(), raw.to_owned())));
        let list = |options: &Options, name: &str| options.get(name).map(|_| write_list(&options.signatures(name)));
        task.place = Some(Box::new(Place {
            root_id: options.text("root_id"),
            parent_id: options.text("parent_id"),
            group: options.text("group_id"),
            group_index: options.whole("group_index"),
            shadow: options.text("shadow"),
            reply_to: options.text("reply_to"),
            stamps: stamps.collect(),
            headers: options.get("headers").and_then(|raw| Options::read(raw, 0).ok()).unwrap_or_default().0,
            callbacks: list(&options, "link"),
            errbacks: list(&options, "link_error"),
            chain: options.take("chain"),
            chord: options.take("chord"),
        }));
        let node = ResultNode::task(task.id.clone());
        self.messages.push(task);
        Applied { sent: node.clone(), result: node }
    }

    fn chain(&mut self, steps: Vec<Signature>, call: &Arguments, mut options: Options) -> Applied {
        let mut steps = unroll(steps);
        let whole = Frozen::taken_from(&mut options);
        let (link, link_error) = (options.signatures("link"), options.signatures("link_error"));
        options.0.retain(|(name, _)| name != "link" && name != "link_error");
        let result = freeze_chain(&mut steps, &whole);
        if let Some(last) = steps.last_mut() {
            last.add("link", &link);
        }
        for step in &mut steps {
            step.add("link_error", &link_error);
            if let Form::Chord { body, .. } = &mut step.form {
                body.add("link_error", &link_error);
            }
        }
        let mut rest = options.signatures("chain");
        rest.extend(steps.drain(1.min(steps.len())..).rev());
        options.set("chain", write_list(&rest));
        match steps.first() {
            Some(first) => Applied { result, ..self.apply(first, call, &options) },
            None => Applied { sent: result.clone(), result },
        }
    }

    fn group(&mut self, tasks: &[Signature], call: &Arguments, mut options: Options) -> Applied {
        let group = options.text("task_id").unwrap_or_else(|| TaskId::random().0);
        options.0.retain(|(name, _)| !["task_id", "group_index", "link", "link_error"].contains(&name.as_str()));
        // The last step of a chain in a header counts for that header, which has a counter already.
        let counted = options.take("group_id").is_some();
        options.set_text("group_id", &group);
        let mut tasks = flatten(tasks.to_vec());
        let (mut members, mut size) = (Vec::new(), 0);
        for (index, task) in tasks.iter_mut().enumerate() {
            let place = Frozen { group: Some(group.clone()), index: Some(index), ..Frozen::default() };
            task.freeze(&place);
            size += task.weight();
            members.push(self.apply(task, call, &options).result);
        }
        let in_header = options.get("chord").is_some() || tasks.iter().any(|task| task.options.get("chord").is_some());
        if in_header && !counted {
            self.chords.push(NewChord { group: group.clone(), size, structure: None });
        }
        let node = ResultNode::group(group, members);
        Applied { sent: node.clone(), result: node }
    }

    fn chord(
        &mut self,
        header: &[Signature],
        mut body: Signature,
        of_header: &Options,
        mut call: Arguments,
        mut options: Options,
    ) -> Applied {
        let group = of_header.text("task_id").unwrap_or_else(|| TaskId::random().0);
        let kwargs = call.take_named("kwargs").and_then(|kwargs| Arguments::from_json("[]", kwargs.get()).ok());
        let call = call.called_with(&kwargs.unwrap_or_default());
        let delay: Vec<_> = ["countdown", "eta"].into_iter().filter_map(|n| options.take(n).map(|v| (n, v))).collect();
        let id = options.take("task_id");
        let parent = options.take("parent_id");
        let mut of_body = options.clone();
        for name in ["link", "link_error"] {
            body.add(name, &options.signatures(name));
            of_body.take(name);
        }
        body.options = body.options.merge(&of_body);
        let id = id.as_deref().and_then(text).map(Cow::into_owned);
        let result = body.freeze(&Frozen { id, group: Some(group.clone()), ..Frozen::default() });
        if header.is_empty() {
            let nothing = Arguments::one(&raw("[]".to_owned()));
            return Applied { result, ..self.apply(&body, &nothing, &Options::default()) };
        }
        options.0.retain(|(name, _)| !["chain", "link", "link_error", "group_id"].contains(&name.as_str()));
        for (name, value) in delay.into_iter().chain(parent.map(|parent| ("parent_id", parent))) {
            options.set(name, value);
        }
        let mut options = of_header.merge(&options);
        options.set_text("task_id", &group);
        options.set("chord", body.write());
        let sent = self.group(header, &call, options).sent;
        if let Some(chord) = self.chords.last_mut().filter(|chord| chord.group == group && sent.is_nested()) {
            chord.structure = Some(format!("{{\"result\": {}}}", sent.tuple()));
        }
        Applied { result: result.after(&sent), sent }
    }
}

// A route that only Python knows is not known here: then it is the queue of our own task of that name, or the default.
fn queue_of(task: &str, options: &Options) -> String {
    let direct = || options.text("routing_key").filter(|_| options.text("exchange").unwrap_or_default().is_empty());
    let own = || tasks::ALL.iter().find(|contract| contract.name == task).map(|contract| contract.queue.to_owned());
    options.text("queue").or_else(direct).or_else(own).unwrap_or_else(|| DEFAULT_QUEUE.to_owned())
}
