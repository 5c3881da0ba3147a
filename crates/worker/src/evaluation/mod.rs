//! The evaluation of rules: the windows that are due, those that logs came late for, and those that still run.
//!
//! Whatever is done here can be done twice, and by two at once: a row of the ledger has its place, an alert its lock, and what
//! was counted is remembered only after everything that follows from it.

mod observer;
mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use logmon_core::alert::{AlertId, Counts, Ended, Finding, Observed, Outcome, REACH, RuleId, RuleState};
use logmon_core::app::AppId;
use logmon_core::log::Level;
use logmon_store::broker::hostname;
use logmon_store::db::alerts::{self, Breach, OpenAlert, Raised};
use logmon_store::db::evaluations::{self, By, Changed, Evaluation, THE_OTHERS};
use logmon_store::db::rules::{self, Evaluated};
use logmon_store::db::{Connection, log_counts, verify};

use crate::context::Context;
use crate::registry::Failure;
use observer::Observer;
use plan::Plan;

/// After how long a window is said to have ended at a time of its own, and not just now.
const JUST_NOW: TimeDelta = TimeDelta::minutes(2);

/// Which windows are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Windows {
    /// Those that have ended.
    Ended,
    /// Those that have ended, and the one of each rule that ends now, wherever its boundaries are.
    EndedAndRunning,
}

/// Evaluates every rule, and says how many alerts were raised.
///
/// # Errors
/// See [`Failure`].
pub(crate) fn evaluate(context: &Context, windows: Windows) -> Result<u64, Failure> {
    let (started, now) = (Instant::now(), context.clock.now());
    let minute = log_counts::minute(now);
    let mut conn = context.database.get()?;
    rules::apply(&mut conn, &context.check, now)?;
    let plans: Vec<Plan> = to_evaluate(&mut conn, now)?.into_iter().map(|rule| Plan::new(rule, minute)).collect();
    let running = windows == Windows::EndedAndRunning;
    let recent = plans.iter().filter_map(|plan| plan.from(now, running)).min().unwrap_or(minute);
    verify::count_what_others_wrote(&mut conn, &(log_counts::minute(recent)..now))?;
    context.may_go_on()?;
    let levels: BTreeSet<Level> = plans.iter().flat_map(Plan::levels).collect();
    let levels: Vec<Level> = levels.into_iter().collect();
    let reading = evaluations::read(&mut conn, minute, &levels, |changed| plan::needs(&plans, changed, now, running))?;
    let open = Open::new(&alerts::open_alerts(&mut conn, None)?);
    let mut run =
        Run { context, conn: &mut conn, now, started, counts: &reading.counts, open, settled: None, raised: 0 };
    for plan in &plans {
        run.late(plan, &reading.changed)?;
    }
    run.ended(&plans)?;
    if running {
        for plan in plans.iter().filter(|plan| plan.looks_at_running()) {
            run.running(plan)?;
        }
    }
    let raised = run.raised;
    evaluations::remember(&mut conn, &reading, minute)?;
    Ok(raised)
}

/// Every rule, none of them as if it had been evaluated up to a moment that is yet to come.
fn to_evaluate(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<Evaluated>, Failure> {
    let all = rules::to_evaluate(conn)?;
    // The database decides: this clock may be the one that is wrong.
    if all.iter().all(|rule| rule.until <= now + rules::AHEAD_MAX) || rules::take_back(conn)? == 0 {
        return Ok(all);
    }
    log::warn!("rules were evaluated by a clock that was ahead of the database's: going on from its time now");
    Ok(rules::to_evaluate(conn)?)
}

/// Evaluates a rule for one app from the beginning of its window until now, or since its last alert was resolved, and says how
/// many alerts were raised. Reads nothing of any other app.
///
/// # Errors
/// See [`Failure`].
pub(crate) fn evaluate_app(context: &Context, app: AppId, rule: RuleId) -> Result<u64, Failure> {
    let (started, now) = (Instant::now(), context.clock.now());
    context.may_go_on()?;
    let mut conn = context.database.get()?;
    rules::apply(&mut conn, &context.check, now)?;
    let rule = rules::get(&mut conn, rule)?.filter(|rule| rule.says.state == RuleState::Enabled);
    // It may have been removed or changed since it was asked for.
    let Some(plan) = rule.map(|rule| Plan::new(Evaluated { rule, until: now }, now)) else { return Ok(0) };
    if !plan.looks_at_running() || !plan.is_for(app) {
        return Ok(0);
    }
    let mut needs = plan::needs(std::slice::from_ref(&plan), &[], now, true);
    needs.only(app);
    let counts = log_counts::load(&mut conn, &needs)?;
    let open = Open::new(&alerts::open_alerts(&mut conn, Some(app))?);
    let settled = alerts::last_resolved(&mut conn, plan.id(), app)?;
    let mut run = Run { context, conn: &mut conn, now, started, counts: &counts, open, settled, raised: 0 };
    run.running(&plan)?;
    Ok(run.raised)
}

/// The open alerts by rule and app.
struct Open {
    known: HashMap<(RuleId, AppId), OpenAlert>,
    /// Of apps whose alert another program raised.
    of_others: HashSet<AppId>,
}

impl Open {
    fn new(open: &[OpenAlert]) -> Self {
        let known = open.iter().filter_map(|alert| Some(((alert.rule?, alert.app), *alert))).collect();
        let of_others = open.iter().filter(|alert| alert.rule.is_none()).map(|alert| alert.app).collect();
        Self { known, of_others }
    }

    fn get(&self, plan: &Plan, app: AppId) -> Option<&OpenAlert> {
        self.known.get(&(plan.id(), app))
    }

    fn has(&self, plan: &Plan, app: AppId) -> bool {
        self.get(plan, app).is_some() || (plan.is_of_the_settings() && self.of_others.contains(&app))
    }
}

/// One evaluation.
struct Run<'a> {
    context: &'a Context,
    conn: &'a mut Connection,
    now: DateTime<Utc>,
    started: Instant,
    counts: &'a Counts,
    open: Open,
    /// What was there before counts for nothing as of now: somebody has seen to it.
    settled: Option<DateTime<Utc>>,
    raised: u64,
}

impl Run<'_> {
    /// The windows that have ended and were not evaluated yet. Calm ones are written together, which costs little.
    fn ended(&mut self, plans: &[Plan]) -> Result<(), Failure> {
        let (mut rows, mut again) = (Vec::new(), BTreeMap::new());
        for plan in plans.iter().filter(|plan| !plan.due.ends.is_empty()) {
            self.context.may_go_on()?;
            let apps = plan.apps(self.counts);
            let mut last = HashMap::new();
            for end in &plan.due.ends {
                for app in &apps {
                    let (row, observed) = self.look(plan, *app, plan.window(*end))?;
                    last.insert(*app, row.outcome);
                    match (row.outcome, self.open.get(plan, *app)) {
                        (Outcome::Breached, Some(open)) => {
                            again.entry(*end).or_insert_with(Vec::new).push(open.id);
                            rows.push(row);
                        }
                        (Outcome::Breached, None) => self.raise(plan, row, observed)?,
                        // Those without logs share a row.
                        (Outcome::Calm, _) if row.count == 0 && plan.is_for_each_app() => {}
                        (Outcome::Calm | Outcome::Unknown, _) => rows.push(row),
                    }
                }
                if plan.is_for_each_app() {
                    rows.push(plan.row(THE_OTHERS, plan.window(*end), 0, Outcome::Calm));
                }
            }
            self.resolve_calm(plan, &last)?;
        }
        let by = self.by();
        evaluations::add(self.conn, &rows, &by)?;
        for (end, alerts) in again {
            alerts::breached_again(self.conn, &alerts, end)?;
        }
        let until = plans.iter().filter_map(|plan| Some((plan.id(), *plan.due.ends.last()?))).collect::<Vec<_>>();
        rules::evaluated(self.conn, &until)?;
        Ok(())
    }

    /// The windows that were evaluated before, of apps that have other logs in them now.
    fn late(&mut self, plan: &Plan, changed: &[Changed]) -> Result<(), Failure> {
        let windows = plan.changed(changed, self.now - REACH);
        if windows.is_empty() {
            return Ok(());
        }
        self.context.may_go_on()?;
        let ends: Vec<DateTime<Utc>> =
            windows.iter().map(|(end, _)| *end).collect::<BTreeSet<_>>().into_iter().collect();
        let known = evaluations::known(self.conn, plan.id(), &ends)?;
        let mut rows = Vec::new();
        for (end, app) in windows {
            let Some((count, outcome)) = known
                .get(&(end, app))
                .map(|known| (known.count, known.outcome))
                .or_else(|| known.contains_key(&(end, THE_OTHERS)).then_some((0, Outcome::Calm)))
            else {
                continue;
            };
            let (row, observed) = self.look(plan, app, plan.window(end))?;
            if (row.count, row.outcome) == (count, outcome) {
                continue;
            }
            let row = Evaluation { is_late: true, ..row };
            if row.outcome == Outcome::Breached && outcome != Outcome::Breached && !self.open.has(plan, app) {
                self.raise(plan, row, observed)?;
            } else {
                rows.push(row);
            }
        }
        let by = self.by();
        evaluations::replace(self.conn, &rows, &by)?;
        Ok(())
    }

    /// The window that ends now: exactly, but only where the counts say that there may be enough.
    fn running(&mut self, plan: &Plan) -> Result<(), Failure> {
        let (mut window, outer) = (plan.window(self.now), plan.condition().minutes_until(self.now));
        window.start = self.settled.map_or(window.start, |settled| window.start.max(settled));
        for app in plan.apps(self.counts) {
            let most = self.counts.count(app, plan.condition().level, &outer);
            if plan.condition().is_calm_up_to(most) || self.open.has(plan, app) {
                continue;
            }
            self.context.may_go_on()?;
            let observed = self.observer().exactly_until_now(plan, app, &window)?;
            let Some(observed) = observed else { continue };
            if plan.condition().evaluate(window.start, observed) == Outcome::Breached {
                self.raise(plan, plan.row(app, window.clone(), observed.count, Outcome::Breached), observed)?;
            }
        }
        Ok(())
    }

    fn look(
        &mut self,
        plan: &Plan,
        app: AppId,
        window: Range<DateTime<Utc>>,
    ) -> Result<(Evaluation, Observed), Failure> {
        let observed = self.observer().observe(plan, app, &window)?;
        Ok(match observed {
            Some(observed) => {
                let outcome = plan.condition().evaluate(window.start, observed);
                (plan.row(app, window, observed.count, outcome), observed)
            }
            None => (plan.row(app, window, 0, Outcome::Unknown), Observed::default()),
        })
    }

    fn observer(&mut self) -> Observer<'_> {
        Observer { conn: self.conn, counts: self.counts }
    }

    fn raise(&mut self, plan: &Plan, row: Evaluation, observed: Observed) -> Result<(), Failure> {
        self.context.may_go_on()?;
        let (app, window) = (row.app, row.window.clone());
        let samples = self.observer().samples(plan, app, &window)?;
        let ended = if self.now - window.end > JUST_NOW { Ended::At(window.end) } else { Ended::Now };
        let finding = Finding {
            level: plan.condition().level,
            count: row.count,
            threshold: row.threshold,
            first: samples.first,
            last: samples.last,
            patterns: samples.patterns,
            query: plan.condition().query(app, &window),
            is_late: row.is_late,
            window,
        };
        let content = plan.condition().content(observed, ended, self.context.telling());
        let breach = Breach { row, rule: &plan.rule.says, content, finding };
        let by = self.by();
        if let Raised::New(alert) = alerts::raise(self.conn, &breach, &by)? {
            let (rule, count) = (plan.id().0, breach.row.count);
            log::info!(rule_id = rule, app_id = app.0, alert_id = alert.0, count; "raised an alert");
            self.raised += 1;
            let (id, end) = (alert, breach.row.window.end);
            let open = OpenAlert { id, rule: Some(plan.id()), app, created_at: self.now, last_breach_at: Some(end) };
            self.open.known.insert((plan.id(), app), open);
        }
        Ok(())
    }

    /// Resolves the alerts of a rule whose newest windows were calm, as many in a row as the rule says.
    fn resolve_calm(&mut self, plan: &Plan, last: &HashMap<AppId, Outcome>) -> Result<(), Failure> {
        let calm = |app: &AppId| last.get(app).copied().unwrap_or(Outcome::Calm) == Outcome::Calm;
        let ready = self
            .open
            .known
            .values()
            .filter(|alert| alert.rule == Some(plan.id()) && calm(&alert.app) && plan.is_over(alert));
        let ready: Vec<AlertId> = ready.map(|alert| alert.id).collect();
        let note = plan.calm_note(self.context.telling().language);
        for id in ready {
            if alerts::resolve_by_itself(self.conn, id, &note, self.now)? {
                log::info!(rule_id = plan.id().0, alert_id = id.0; "an alert is over");
            }
        }
        Ok(())
    }

    fn by(&self) -> By {
        let worker = format!("logmon@{}-{}", hostname(), std::process::id());
        By { worker, at: self.now, took: self.started.elapsed() }
    }
}
