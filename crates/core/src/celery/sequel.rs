//! What the end of a task sets off: callbacks, the next of a chain, errbacks, and the counting of chords.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::canvas::{Canvas, NewChord};
use super::exception::Exception;
use super::options::{Options, raw};
use super::result::{Outcome, ResultNode};
use super::signature::{Form, Signature, write_list};
use super::{Arguments, NewTask, TaskId, TaskMessage};
use crate::python;

/// What the end of a task sets off. All of it belongs with the task's result into one step.
#[derive(Debug, Default)]
pub struct Sequel {
    /// What is sent.
    pub messages: Vec<NewTask>,
    /// The chords among it: their counters are set up before.
    pub chords: Vec<NewChord>,
    /// What the task's result names as its children.
    pub children: Vec<ResultNode>,
    /// The chords that the end counts for.
    pub parts: Vec<ChordPart>,
    /// The tasks that will never run because this one failed: whoever waits for them is told so.
    pub failed: Vec<FailedTask>,
}

/// A task that will never run.
#[derive(Debug, Clone)]
pub struct FailedTask {
    /// Its id.
    pub id: TaskId,
    /// The group that it would have belonged to.
    pub group: Option<String>,
    /// What its result is: that of the task because of which it does not run.
    pub outcome: Outcome,
}

impl FailedTask {
    /// Its result document.
    pub fn document(&self, done: DateTime<Utc>) -> String {
        self.outcome.document_in(self.group.as_deref(), &self.id, done)
    }
}

/// The result of one task in the header of a chord.
#[derive(Debug, Clone)]
pub struct ChordPart {
    /// The header's group.
    pub group: String,
    /// The task's place in it.
    pub index: Option<i64>,
    /// The task.
    pub id: TaskId,
    /// As the counter keeps it: `[1, id, state, result]`.
    pub member: String,
    body: Signature,
    root_id: TaskId,
}

impl TaskMessage {
    /// What follows when the task has come to `outcome`. Ids that nobody has given yet are given now.
    pub fn sequel(&self, outcome: &Outcome, now: DateTime<Utc>) -> Sequel {
        match outcome {
            Outcome::Success(result) => self.after_success(result, outcome, now),
            Outcome::Failure(_) | Outcome::Revoked(_) => self.after_failure(outcome, now),
            Outcome::Retry(_) => Sequel { children: vec![ResultNode::task(self.id.clone())], ..Sequel::default() },
        }
    }

    fn after_success(&self, result: &RawValue, outcome: &Outcome, now: DateTime<Utc>) -> Sequel {
        let Some(workflow) = &self.workflow else { return Sequel::default() };
        let (mut canvas, call) = (Canvas::new(now), Arguments::one(result));
        let mut over = self.lineage();
        let mut children = Vec::new();
        for callback in grouped(&workflow.callbacks) {
            children.push(canvas.apply(&callback, &call, &over).sent);
        }
        if let Some((next, rest)) = workflow.chain.split_last() {
            over.set("chain", write_list(rest));
            children.push(canvas.apply(next, &call, &over).sent);
        }
        Sequel { children, parts: self.parts(outcome), ..Sequel::of(canvas) }
    }

    fn after_failure(&self, outcome: &Outcome, now: DateTime<Utc>) -> Sequel {
        let Some(workflow) = &self.workflow else { return Sequel::default() };
        let mut canvas = Canvas::new(now);
        if let Outcome::Failure(_) = outcome {
            call_errbacks(&mut canvas, &workflow.errbacks, &self.id, &self.lineage());
        }
        let mut sequel = Sequel { parts: self.parts(outcome), ..Sequel::of(canvas) };
        for signature in &workflow.chain {
            sequel.fail(signature, outcome, &self.root_id);
        }
        sequel
    }

    // What those that are sent inherit.
    fn lineage(&self) -> Options {
        lineage(&self.root_id, &self.id)
    }

    fn parts(&self, outcome: &Outcome) -> Vec<ChordPart> {
        let body = self.workflow.as_ref().and_then(|workflow| workflow.chord.clone());
        let part = self.group.clone().zip(body).map(|(group, body)| ChordPart {
            group,
            index: self.group_index,
            id: self.id.clone(),
            member: member(&self.id, outcome),
            body,
            root_id: self.root_id.clone(),
        });
        part.into_iter().collect()
    }
}

impl Sequel {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.chords.is_empty() && self.parts.is_empty() && self.failed.is_empty()
    }

    fn of(canvas: Canvas) -> Self {
        Self { messages: canvas.messages, chords: canvas.chords, ..Self::default() }
    }

    /// Notes that a signature will never run, nor what is in it. Where others count on it, they are told.
    fn fail(&mut self, signature: &Signature, outcome: &Outcome, root_id: &TaskId) {
        match &signature.form {
            Form::Chain(signatures) | Form::Group(signatures) => {
                signatures.iter().for_each(|signature| self.fail(signature, outcome, root_id));
            }
            Form::Chord { body, .. } => self.fail(body, outcome, root_id),
            Form::Task => {
                let options = &signature.options;
                let Some(id) = options.text("task_id").map(TaskId) else { return };
                let group = options.text("group_id");
                if let Some((group, body)) = group.clone().zip(options.signature("chord")) {
                    self.parts.push(ChordPart {
                        group,
                        index: options.whole("group_index"),
                        id: id.clone(),
                        member: member(&id, outcome),
                        body,
                        root_id: root_id.clone(),
                    });
                }
                self.failed.push(FailedTask { id, group, outcome: outcome.clone() });
            }
        }
        for signature in signature.options.signatures("chain") {
            self.fail(&signature, outcome, root_id);
        }
    }
}

impl ChordPart {
    /// What follows when the chord is complete: its body with the list of the results, or its failure.
    ///
    /// `members` are those of the header, in their order, as the counter keeps them. `structure` is the saved
    /// `GroupResult` of a header with groups in it, which says how the results lie in each other.
    pub fn complete(&self, members: &[String], structure: Option<&str>, now: DateTime<Utc>) -> Sequel {
        let over = lineage(&self.root_id, &self.id);
        match joined(members, structure) {
            Ok(results) => {
                let mut canvas = Canvas::new(now);
                canvas.apply(&self.body, &Arguments::one(&results), &over);
                Sequel::of(canvas)
            }
            Err(reason) => {
                let mut canvas = Canvas::new(now);
                errbacks_of(&self.body, &mut canvas, &over);
                let mut sequel = Sequel::of(canvas);
                sequel.fail(&self.body, &Outcome::Failure(Exception::chord(&reason)), &self.root_id);
                sequel
            }
        }
    }
}

fn lineage(root_id: &TaskId, parent_id: &TaskId) -> Options {
    let mut options = Options::default();
    options.set_text("root_id", root_id.as_str());
    options.set_text("parent_id", parent_id.as_str());
    options
}

// Celery makes a group of several callbacks, but for those that are groups themselves.
fn grouped(callbacks: &[Signature]) -> Vec<Signature> {
    let (mut groups, single): (Vec<_>, Vec<_>) =
        callbacks.iter().cloned().partition(|signature| matches!(signature.form, Form::Group(_)));
    if callbacks.len() < 2 {
        return callbacks.to_vec();
    }
    if !single.is_empty() {
        groups.push(Signature::group(single));
    }
    groups
}

fn call_errbacks(canvas: &mut Canvas, errbacks: &[Signature], failed: &TaskId, over: &Options) {
    if !errbacks.is_empty() {
        let id = raw(serde_json::Value::from(failed.as_str()).to_string());
        canvas.apply(&Signature::group(errbacks.to_vec()), &Arguments::one(&id), over);
    }
}

fn errbacks_of(body: &Signature, canvas: &mut Canvas, over: &Options) {
    if let Form::Group(tasks) = &body.form {
        tasks.iter().for_each(|task| errbacks_of(task, canvas, over));
    }
    let last = match &body.form {
        Form::Chain(steps) => steps.last().and_then(|step| step.options.text("task_id")),
        Form::Task | Form::Group(_) | Form::Chord { .. } => None,
    };
    if let Some(id) = body.options.text("task_id").or(last) {
        let mut over = over.clone();
        over.set_text("parent_id", &id);
        call_errbacks(canvas, &body.options.signatures("link_error"), &TaskId(id), &over);
    }
}

fn member(id: &TaskId, outcome: &Outcome) -> String {
    let (status, result) = outcome.state();
    let status = serde_json::to_string(&status).unwrap_or_default();
    format!("[1, {}, {status}, {}]", serde_json::Value::from(id.as_str()), result.get())
}

// The results of a header as one list, or why the chord fails.
fn joined(members: &[String], structure: Option<&str>) -> Result<Box<RawValue>, String> {
    let mut results: Vec<(String, Box<RawValue>)> = Vec::new();
    for member in members {
        let strict = python::strict_json(member, python::Nan::Refused);
        let (_, id, state, result): (u8, String, String, Box<RawValue>) =
            serde_json::from_str(strict.as_deref().unwrap_or(member)).map_err(|e| format!("Join error: {e}"))?;
        if ["FAILURE", "REVOKED"].contains(&state.as_str()) {
            return Err(format!("Dependency {id} raised {}", Exception::repr_of(&result)));
        }
        results.push((id, result));
    }
    let nested = structure.and_then(|structure| nested(structure, &results));
    let flat = || format!("[{}]", results.iter().map(|(_, result)| result.get()).collect::<Vec<_>>().join(", "));
    Ok(raw(nested.unwrap_or_else(flat)))
}

fn nested(structure: &str, results: &[(String, Box<RawValue>)]) -> Option<String> {
    fn of(node: &serde_json::Value, results: &[(String, Box<RawValue>)]) -> Option<String> {
        match node.get(1)? {
            serde_json::Value::Array(members) => {
                let members: Option<Vec<String>> = members.iter().map(|member| of(member, results)).collect();
                Some(format!("[{}]", members?.join(", ")))
            }
            _ => {
                let id = node.get(0)?.get(0)?.as_str()?;
                results.iter().find(|(own, _)| own == id).map(|(_, result)| result.get().to_owned())
            }
        }
    }
    let saved: serde_json::Value = serde_json::from_str(structure).ok()?;
    of(saved.get("result")?, results)
}

#[cfg(test)]
#[path = "sequel_tests.rs"]
mod tests;
