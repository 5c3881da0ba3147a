//! One thread of the writer: takes a group, stores it, tells everybody.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use logmon_core::app::AppId;
use logmon_core::config::DatabaseSettings;

use super::link::{Link, Trouble};
use super::queue::{Queue, Request};
use super::{Key, Stored, WriteError, transaction};
use crate::db;

/// How often a transaction is tried that the database gave up for another one's sake.
const ATTEMPTS: u32 = 5;

/// Starts a thread. It ends when the queue is closed and empty.
pub(super) fn start(queue: Arc<Queue>, settings: DatabaseSettings) {
    std::thread::spawn(move || {
        let mut session = Session { queue: Arc::clone(&queue), settings, link: None };
        let mut next = queue.take();
        while let Some(group) = next {
            let (begun, records) = (Instant::now(), group.iter().map(|request| request.records.len()).sum());
            session.store_group(group);
            queue.figures.group(records, begun.elapsed());
            next = queue.take_next();
        }
    });
}

struct Session {
    queue: Arc<Queue>,
    settings: DatabaseSettings,
    link: Option<Link>,
}

impl Session {
    fn store_group(&mut self, mut group: Vec<Request>) {
        while !group.is_empty() {
            // Of two with the same key the second finds what became of the first.
            let mut keys: HashSet<String> = HashSet::new();
            let is_first = |request: &Request| request.key().is_none_or(|key| keys.insert(key.key.clone()));
            let (firsts, others) = group.into_iter().partition(is_first);
            self.store_together(firsts);
            group = others;
        }
    }

    fn store_together(&mut self, mut group: Vec<Request>) {
        if group.iter().any(|request| self.queue.locked.concerns(request)) {
            group = self.without_locked(group);
        }
        for attempt in 1..=ATTEMPTS {
            group = without_late(group);
            if group.is_empty() {
                return;
            }
            match self.ask(|link| transaction::store(link, &group, &HashSet::new())) {
                Ok(stored) => return tell(group, stored.into_iter()),
                Err(Trouble::Unavailable(reason)) => return give_up(group, &WriteError::Unavailable(reason)),
                Err(Trouble::Conflict(_) | Trouble::Duplicate) => std::thread::sleep(db::pause(attempt)),
                Err(Trouble::KeyTaken) => group = self.without_taken(group),
                Err(Trouble::Locked(_)) => {
                    let count = group.len();
                    group = self.without_locked(group);
                    if group.len() == count {
                        break;
                    }
                }
                // Somebody's records are at fault: each request by itself.
                Err(Trouble::KeyLocked(_) | Trouble::UnknownApp | Trouble::Refused(_) | Trouble::AnswerTooLarge) => {
                    break;
                }
            }
        }
        self.store_each(group);
    }

    /// The requests whose apps nobody else has locked; the others are told so.
    fn without_locked(&mut self, group: Vec<Request>) -> Vec<Request> {
        let apps: HashSet<AppId> = group.iter().flat_map(Request::apps).collect();
        let found = self.ask(|link| {
            let free = match link.free_apps(&apps) {
                // An older server cannot say which: all of them are waited for.
                Err(Trouble::Refused(_)) => apps.clone(),
                free => free?,
            };
            Ok((free, link.known_apps(&apps)?))
        });
        let (free, known) = match found {
            Ok(found) => found,
            Err(trouble) => {
                give_up(group, &WriteError::from(trouble));
                return Vec::new();
            }
        };
        let locked = &self.queue.locked;
        locked.add(known.difference(&free).copied());
        // One that is gone is locked by nobody.
        locked.remove(&apps.iter().filter(|app| free.contains(app) || !known.contains(app)).copied().collect());
        let (waiting, others): (Vec<_>, Vec<_>) = group.into_iter().partition(|request| locked.concerns(request));
        give_up(waiting, &locked_error());
        others
    }

    /// The requests whose keys are not there; the others are told so.
    fn without_taken(&mut self, group: Vec<Request>) -> Vec<Request> {
        let keys: Vec<&Key> = group.iter().filter_map(Request::key).collect();
        let ask = |link: &mut Link| {
            let taken = link.taken_keys(&keys)?;
            link.run("COMMIT")?;
            Ok(taken)
        };
        match self.ask(ask) {
            Ok(taken) => {
                let is_taken = |request: &Request| request.key().is_some_and(|key| taken.contains(key.key.as_bytes()));
                let (taken, others): (Vec<_>, Vec<_>) = group.into_iter().partition(is_taken);
                for request in taken {
                    (request.reply)(Err(WriteError::KeyTaken));
                }
                others
            }
            Err(trouble) => {
                give_up(group, &WriteError::from(trouble));
                Vec::new()
            }
        }
    }

    /// Stores requests one by one, those first that wait for no key.
    fn store_each(&mut self, mut group: Vec<Request>) {
        group.sort_by_key(|request| request.key.is_some());
        for request in group {
            if self.queue.locked.concerns(&request) {
                give_up(vec![request], &locked_error());
                continue;
            }
            let stored = self.store_one(&request);
            if matches!(stored, Err(Trouble::Locked(_))) {
                self.queue.locked.add(request.apps());
            }
            (request.reply)(stored.map_err(WriteError::from));
        }
    }

    /// Stores a request without the records that stand in the way: those of apps that are gone, and if that is not it,
    /// record by record.
    fn store_one(&mut self, request: &Request) -> Result<Vec<Stored>, Trouble> {
        let together = std::slice::from_ref(request);
        match self.repeat(request, |link| transaction::store(link, together, &HashSet::new())) {
            Err(Trouble::UnknownApp | Trouble::Refused(_)) => {}
            done => return done,
        }
        let wanted: HashSet<AppId> = request.apps().collect();
        let known = self.ask(|link| link.known_apps(&wanted))?;
        let gone: HashSet<AppId> = wanted.difference(&known).copied().collect();
        match self.repeat(request, |link| transaction::store(link, together, &gone)) {
            Err(Trouble::UnknownApp | Trouble::Refused(_)) => {}
            done => return done,
        }
        self.repeat(request, |link| transaction::store_each(link, request, &gone))
    }

    /// Runs a transaction of a request, again where the database gave it up for another one's sake. It is not begun after
    /// the request's deadline: by then its client was told that it may have failed, and sends it again.
    fn repeat<T>(
        &mut self,
        request: &Request,
        mut work: impl FnMut(&mut Link) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut attempt = 1;
        loop {
            if Instant::now() >= request.deadline {
                return Err(Trouble::Unavailable(TOO_LONG.to_owned()));
            }
            match self.ask(&mut work) {
                // After the second, somebody else has just stored an event id, so it is known now.
                Err(Trouble::Conflict(_) | Trouble::Duplicate) if attempt < ATTEMPTS => {
                    std::thread::sleep(db::pause(attempt));
                }
                done => return done,
            }
            attempt += 1;
        }
    }

    /// Works with the connection, and leaves it where it is of no more use: its late answer would be taken for that to the
    /// next statement.
    fn ask<T>(&mut self, work: impl FnOnce(&mut Link) -> Result<T, Trouble>) -> Result<T, Trouble> {
        let done = work(self.link()?);
        if matches!(done, Err(Trouble::Unavailable(_))) {
            self.link = None;
        }
        done
    }

    fn link(&mut self) -> Result<&mut Link, Trouble> {
        let alive = self.link.take().and_then(|mut link| link.is_alive().then_some(link));
        let link = match alive {
            Some(link) => link,
            None => Link::open(&self.settings)?,
        };
        Ok(self.link.insert(link))
    }
}

const TOO_LONG: &str = "it took too long";

/// The requests whose clients still wait; the others were told that they may have failed.
fn without_late(group: Vec<Request>) -> Vec<Request> {
    let now = Instant::now();
    let (late, others): (Vec<_>, Vec<_>) = group.into_iter().partition(|request| request.deadline <= now);
    give_up(late, &WriteError::Unavailable(TOO_LONG.to_owned()));
    others
}

fn give_up(group: Vec<Request>, error: &WriteError) {
    for request in group {
        (request.reply)(Err(error.clone()));
    }
}

fn locked_error() -> WriteError {
    WriteError::Unavailable("its app is locked".to_owned())
}

impl From<Trouble> for WriteError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::KeyTaken => Self::KeyTaken,
            Trouble::AnswerTooLarge => Self::AnswerTooLarge,
            Trouble::Duplicate => Self::Unavailable("others stored the same event ids again and again".to_owned()),
            Trouble::Unavailable(reason)
            | Trouble::Conflict(reason)
            | Trouble::Locked(reason)
            | Trouble::KeyLocked(reason)
            | Trouble::Refused(reason) => Self::Unavailable(reason),
            Trouble::UnknownApp => Self::Unavailable("an app is gone".to_owned()),
        }
    }
}

/// Tells each request of a group what became of its records.
fn tell(group: Vec<Request>, mut stored: impl Iterator<Item = Stored>) {
    for request in group {
        let own = stored.by_ref().take(request.records.len()).collect();
        (request.reply)(Ok(own));
    }
}
