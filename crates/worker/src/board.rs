//! What passes between the threads of a worker: messages from the [`fetcher`](crate::fetcher) to the slots, reports from
//! the slots to the [`reporter`](crate::reporter).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use logmon_store::broker::Fetched;

use crate::report::Report;

/// So much work is fetched ahead: enough to hide the way to Redis, too little to keep other workers from it.
const AHEAD: Duration = Duration::from_millis(20);

/// The board. Clones share it.
#[derive(Clone)]
pub struct Board(Arc<Shared>);

struct Shared {
    prefetch: usize,
    state: Mutex<State>,
    /// Something for a slot.
    work: Condvar,
    /// Room for the fetcher.
    room: Condvar,
    /// Something for the reporter.
    told: Condvar,
}

/// A message that was put here.
struct Known {
    queue: Arc<str>,
    count: u32,
}

#[derive(Default)]
struct State {
    /// How many slots there are to be.
    slots: usize,
    /// Threads that work in one.
    threads: usize,
    ready: VecDeque<Fetched>,
    /// Since when the first of them has been waiting for a slot.
    since: Option<Instant>,
    /// The tags of all that was put here and that Redis has no report of yet. One can be here twice for a moment: when it
    /// was put back and has come again before the reporter is done.
    known: HashMap<String, Known>,
    reports: Vec<Report>,
    /// The tags of the reports that the reporter has.
    reporting: Vec<String>,
    /// How many messages were taken by a slot and are whose report Redis does not have yet.
    unreported: usize,
    /// Slots that wait for work.
    idle: usize,
    /// How long a task runs, over the last ones; none are known at first, and after all slots were busy for long.
    runtime: Option<Duration>,
    fetcher_waits: bool,
    reporter_waits: bool,
    closed: bool,
    /// All slots have ended.
    complete: bool,
}

/// What the fetcher is to do next.
#[derive(Debug)]
pub enum Next {
    /// Fetch so many messages.
    Fetch(usize),
    /// Put these back: no slot has become free for them.
    PutBack(Vec<Fetched>),
    /// Look at the clock: there is no room yet.
    Wait,
    /// End, and put these back.
    End(Vec<Fetched>),
}

impl Board {
    /// A board for so many slots, which fetches at most `prefetch` messages ahead for each.
    pub fn new(slots: usize, prefetch: usize) -> Self {
        let (work, room, told) = (Condvar::new(), Condvar::new(), Condvar::new());
        let state = Mutex::new(State { slots, ..State::default() });
        Self(Arc::new(Shared { prefetch, state, work, room, told }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.state().slots
    }

    /// There are to be so many slots: threads that are too many end when they have nothing to run.
    pub fn resize(&self, slots: usize) {
        self.state().slots = slots;
        self.0.work.notify_all();
    }

    /// How many threads are missing; from now on they count as there.
    pub fn enlist(&self) -> usize {
        let mut state = self.state();
        let missing = if state.closed { 0 } else { state.slots.saturating_sub(state.threads) };
        state.threads += missing;
        missing
    }

    /// A thread takes nothing any more.
    pub fn desert(&self) {
        let mut state = self.state();
        state.threads = state.threads.saturating_sub(1);
    }

    /// How many messages may be fetched ahead for each slot.
    pub fn prefetch(&self) -> usize {
        self.0.prefetch
    }

    /// What waits for a slot.
    pub fn ready(&self) -> Vec<Fetched> {
        self.state().ready.iter().cloned().collect()
    }

    /// How many messages this worker holds, by the queue that they lay on.
    pub fn in_flight(&self) -> BTreeMap<String, u64> {
        let mut held = BTreeMap::new();
        for known in self.state().known.values() {
            *held.entry(known.queue.to_string()).or_default() += 1;
        }
        held
    }

    /// Whether a message is at work here, or is waiting for it.
    pub fn knows(&self, tag: &str) -> bool {
        self.state().known.contains_key(tag)
    }

    /// No slot takes anything more.
    pub fn close(&self) {
        self.state().closed = true;
        self.0.work.notify_all();
        self.0.room.notify_all();
    }

    /// No slot reports anything more.
    pub fn complete(&self) {
        self.state().complete = true;
        self.0.told.notify_all();
    }

    /// For the fetcher: waits until there is something to do.
    pub fn next(&self, patience: Duration) -> Next {
        let mut state = self.state();
        loop {
            if state.closed {
                return Next::End(state.give_back());
            }
            if state.since.is_some_and(|since| since.elapsed() >= patience) {
                state.runtime = None;
                state.since = None;
                return Next::PutBack(state.give_back());
            }
            let room = self.room(&state);
            if room > 0 {
                return Next::Fetch(room);
            }
            state.fetcher_waits = true;
            let (waited, time) = self.0.room.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = waited;
            state.fetcher_waits = false;
            if time.timed_out() && state.since.is_none() && !state.closed {
                return Next::Wait;
            }
        }
    }

    // Few at a time would cost Redis more than they bring, and what is not reported yet is in flight as well.
    fn room(&self, state: &State) -> usize {
        let ahead = self.ahead(state);
        let here = state.ready.len() + state.unreported;
        if state.ready.len() > ahead / 2 { 0 } else { (state.idle + ahead).saturating_sub(here) }
    }

    fn ahead(&self, state: &State) -> usize {
        let each = state.runtime.map_or(0, |runtime| AHEAD.as_nanos() / runtime.as_nanos().max(1));
        usize::try_from(each).unwrap_or(usize::MAX).min(self.0.prefetch) * state.slots
    }

    /// For the fetcher: gives the slots what it fetched.
    pub fn put(&self, fetched: Vec<Fetched>) {
        let mut state = self.state();
        state.since = state.since.or_else(|| Some(Instant::now()));
        for fetched in &fetched {
            let known = || Known { queue: Arc::clone(&fetched.queue), count: 0 };
            state.known.entry(fetched.tag.clone()).or_insert_with(known).count += 1;
        }
        state.ready.extend(fetched);
        let (ready, idle) = (state.ready.len(), state.idle);
        drop(state);
        for _ in 0..ready.min(idle) {
            self.0.work.notify_one();
        }
    }

    /// For a slot: waits for a message; none comes when the slot or the worker is to end.
    pub fn take(&self) -> Option<Fetched> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if state.threads > state.slots {
                state.threads -= 1;
                return None;
            }
            if let Some(fetched) = state.ready.pop_front() {
                state.since = (!state.ready.is_empty()).then(Instant::now);
                self.call_fetcher(&state);
                return Some(fetched);
            }
            state.idle += 1;
            self.call_fetcher(&state);
            state = self.0.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn call_fetcher(&self, state: &State) {
        if state.fetcher_waits && self.room(state) > 0 {
            self.0.room.notify_one();
        }
    }

    /// For a slot: says what became of a message after it was worked on for so long.
    pub fn report(&self, report: Report, took: Duration) {
        let mut state = self.state();
        state.runtime = Some(state.runtime.map_or(took, |mean| (mean * 7 + took) / 8));
        self.add(state, report);
    }

    /// For a slot: says something of a message that it still works on.
    pub fn tell(&self, report: Report) {
        self.add(self.state(), report);
    }

    fn add(&self, mut state: MutexGuard<'_, State>, report: Report) {
        state.reports.push(report);
        state.unreported += 1;
        if state.reporter_waits {
            self.0.told.notify_one();
        }
    }

    /// For the reporter: waits for reports, those of the last time being done; there may be none after `patience`. `None`
    /// when all slots have ended and nothing is left.
    pub fn reports(&self, patience: Duration) -> Option<Vec<Report>> {
        let mut state = self.state();
        for tag in std::mem::take(&mut state.reporting) {
            state.forget(&tag);
        }
        state.unreported = state.reports.len();
        self.call_fetcher(&state);
        if state.reports.is_empty() && !state.complete {
            state.reporter_waits = true;
            let waited =
                self.0.told.wait_timeout_while(state, patience, |state| state.reports.is_empty() && !state.complete);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.reporter_waits = false;
        }
        if state.reports.is_empty() && state.complete {
            return None;
        }
        let reports = std::mem::take(&mut state.reports);
        state.reporting = reports.iter().filter_map(Report::tag).map(str::to_owned).collect();
        Some(reports)
    }
}

impl State {
    fn forget(&mut self, tag: &str) {
        if let Some(known) = self.known.get_mut(tag) {
            known.count -= 1;
            if known.count == 0 {
                self.known.remove(tag);
            }
        }
    }

    /// What waits for a slot, which is nobody's business here from now on.
    fn give_back(&mut self) -> Vec<Fetched> {
        let ready: Vec<Fetched> = self.ready.drain(..).collect();
        for fetched in &ready {
            self.forget(&fetched.tag);
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn fetched(count: usize) -> Vec<Fetched> {
        let message = |number: usize| {
            let (queue, tag, at) = ("q".into(), number.to_string(), Default::default());
            Fetched { raw: Vec::new(), queue, tag, deliveries: 1, at, since: Instant::now() }
        };
        (0..count).map(message).collect()
    }

    fn put_back() -> Report {
        Report::PutBack { tag: String::new() }
    }

    /// A board for one slot, which has run tasks of this length.
    fn after(runtime: Duration) -> Board {
        let board = Board::new(1, 8);
        board.report(put_back(), runtime);
        assert_eq!(board.reports(LONG).map(|reports| reports.len()), Some(1));
        board.complete();
        assert!(board.reports(LONG).is_none(), "the first ones are done");
        board
    }

    #[test]
    fn so_much_is_fetched_ahead_as_runs_in_a_moment() {
        for (runtime, expected) in [(Duration::ZERO, 8), (AHEAD / 4, 4), (AHEAD, 1)] {
            assert!(matches!(after(runtime).next(LONG), Next::Fetch(count) if count == expected), "{runtime:?}");
        }
        let board = after(LONG);
        assert_eq!(board.room(&board.state()), 0, "what runs for long is fetched for a free slot only");
    }

    #[test]
    fn what_is_not_reported_yet_is_in_flight_as_well() {
        let board = after(Duration::ZERO);
        board.put(fetched(8));
        for _ in 0..8 {
            assert!(board.take().is_some());
            board.report(put_back(), Duration::ZERO);
        }
        assert_eq!(board.room(&board.state()), 0);
        assert_eq!(board.reports(LONG).map(|reports| reports.len()), Some(8));
        assert_eq!(board.room(&board.state()), 0, "Redis does not know yet");
        assert!(board.reports(LONG).is_none());
        assert_eq!(board.room(&board.state()), 8);
    }

    #[test]
    fn what_no_slot_becomes_free_for_goes_back() {
        let board = after(Duration::ZERO);
        board.put(fetched(3));
        assert!(matches!(board.next(Duration::ZERO), Next::PutBack(back) if back.len() == 3));
        assert_eq!(board.room(&board.state()), 0, "until a slot is free");
        board.put(fetched(2));
        board.close();
        assert!(board.take().is_none());
        assert!(matches!(board.next(LONG), Next::End(back) if back.len() == 2));
    }
}
