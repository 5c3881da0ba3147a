//! One thread of the writer: takes a group, stores it, tells everybody.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use logmon_core::app::AppId;
use logmon_core::config::DatabaseSettings;
use logmon_core::log::Record;

use super::events::Sifted;
use super::link::{Ids, Link, Trouble};
use super::queue::{Job, Queue};
use super::{Key, MakeAnswer, Stored, WriteError, once, text};
use crate::db;

/// How often a transaction is tried that the database gave up for another one's sake.
const ATTEMPTS: u32 = 5;

/// Starts a thread. It ends when the queue is closed and empty.
pub(super) fn start(queue: Arc<Queue>, settings: DatabaseSettings) {
    std::thread::spawn(move || {
        let mut session = Session { settings, link: None };
        while let Some(group) = queue.take() {
            let (begun, records) = (Instant::now(), group.iter().map(|job| job.records.len()).sum());
            session.store_group(group);
            queue.figures.group(records, begun.elapsed());
            queue.done();
        }
    });
}

struct Session {
    settings: DatabaseSettings,
    link: Option<Link>,
}

impl Session {
    fn store_group(&mut self, group: Vec<Job>) {
        let (keyed, group): (Vec<_>, Vec<_>) = group.into_iter().partition(|job| job.key.is_some());
        if !group.is_empty() {
            self.store_together(group);
        }
        for mut job in keyed {
            if let Some(keyed) = job.key.take() {
                let (key, answer) = *keyed;
                let stored = self.ask(|link| store_once(link, &job, &key, answer));
                (job.reply)(stored.map_err(WriteError::from));
            }
        }
    }

    fn store_together(&mut self, group: Vec<Job>) {
        let deadline = group.iter().map(|job| job.deadline).max().unwrap_or_else(Instant::now);
        let records = group.iter().flat_map(|job| &job.records);
        let trouble = if records.clone().any(|record| record.event_id.is_some()) {
            match self.store(&records.collect::<Vec<_>>(), deadline) {
                Ok(stored) => return tell(group, stored.into_iter()),
                Err(trouble) => trouble,
            }
        } else {
            match self.transaction(records, deadline) {
                Ok(ids) => return tell(group, (0..).map(|number| Stored::Yes(ids.nth(number)))),
                Err(trouble) => trouble,
            }
        };
        match trouble {
            Trouble::Unavailable(reason) | Trouble::Conflict(reason) => {
                for job in group {
                    (job.reply)(Err(WriteError::Unavailable(reason.clone())));
                }
            }
            // Somebody's records are at fault: each request by itself.
            Trouble::Locked(_) | Trouble::UnknownApp | Trouble::Refused(_) | Trouble::Duplicate | Trouble::KeyTaken => {
                self.store_each(group);
            }
        }
    }

    /// Stores requests one by one. One whose app is locked keeps only the others of that app waiting.
    fn store_each(&mut self, group: Vec<Job>) {
        let mut locked: HashSet<AppId> = HashSet::new();
        for job in group {
            let apps = || job.records.iter().map(|record| record.app);
            let stored = if apps().any(|app| locked.contains(&app)) {
                Err(Trouble::Locked("its app is locked".to_owned()))
            } else {
                self.store_one(&job)
            };
            if matches!(stored, Err(Trouble::Locked(_))) {
                locked.extend(apps());
            }
            (job.reply)(stored.map_err(WriteError::from));
        }
    }

    /// Stores a request without the records that stand in the way: those of apps that are gone, and if that is not it,
    /// each record by itself.
    fn store_one(&mut self, job: &Job) -> Result<Vec<Stored>, Trouble> {
        match self.store(&job.records.iter().collect::<Vec<_>>(), job.deadline) {
            Err(Trouble::UnknownApp | Trouble::Refused(_)) => {}
            done => return done,
        }
        let mut wanted: Vec<AppId> = job.records.iter().map(|record| record.app).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let known: HashSet<AppId> = self.ask(|link| link.known_apps(&wanted))?.into_iter().collect();
        let good: Vec<&Record> = job.records.iter().filter(|record| known.contains(&record.app)).collect();
        let mut stored = self.store_records(&good, job.deadline)?.into_iter();
        let outcome = |record: &Record| {
            if known.contains(&record.app) { stored.next().unwrap_or(Stored::Refused) } else { Stored::UnknownApp }
        };
        Ok(job.records.iter().map(outcome).collect())
    }

    fn store_records(&mut self, records: &[&Record], deadline: Instant) -> Result<Vec<Stored>, Trouble> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        match self.store(records, deadline) {
            Err(Trouble::UnknownApp | Trouble::Refused(_)) => {}
            done => return done,
        }
        let mut stored = Vec::with_capacity(records.len());
        for record in records {
            match self.store(&[*record], deadline) {
                Ok(one) => stored.extend(one),
                Err(Trouble::UnknownApp) => stored.push(Stored::UnknownApp),
                Err(Trouble::Refused(reason)) => {
                    let (app_id, size_bytes) = (record.app.0, record.message.len());
                    log::warn!(app_id, size_bytes; "a record was refused: {reason}");
                    stored.push(Stored::Refused);
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(stored)
    }

    /// Stores records in one transaction, without those whose event ids are known.
    fn store(&mut self, records: &[&Record], deadline: Instant) -> Result<Vec<Stored>, Trouble> {
        let mut attempt = 1;
        loop {
            let sifted = Sifted::new(records, &self.ask(|link| link.known_events(records))?);
            if sifted.fresh.is_empty() {
                return Ok(sifted.stored(Ids::NONE));
            }
            match self.transaction(sifted.fresh.iter().copied(), deadline) {
                Ok(ids) => return Ok(sifted.stored(ids)),
                // Somebody else has just stored one of them, so it is known now.
                Err(Trouble::Duplicate) if attempt < ATTEMPTS => attempt += 1,
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Stores records in one transaction. It is not begun after `deadline`: by then their clients were told that it may
    /// have failed, and send them again.
    fn transaction<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Record> + Clone,
        deadline: Instant,
    ) -> Result<Ids, Trouble> {
        let sql = text::transaction(records, self.link()?.step);
        let mut attempt = 1;
        loop {
            if Instant::now() >= deadline {
                return Err(Trouble::Unavailable("it took too long".to_owned()));
            }
            match self.ask(|link| link.run(&sql)) {
                Err(Trouble::Conflict(_)) if attempt < ATTEMPTS => std::thread::sleep(db::pause(attempt)),
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
        let link = match self.link.take() {
            Some(link) => link,
            None => Link::open(&self.settings)?,
        };
        Ok(self.link.insert(link))
    }
}

/// Stores a request with its key and its answer, or nothing of it.
fn store_once(link: &mut Link, job: &Job, key: &Key, answer: MakeAnswer) -> Result<Vec<Stored>, Trouble> {
    let mut attempt = 1;
    let begun = loop {
        match once::begin(link, job, key) {
            Err(Trouble::Conflict(_) | Trouble::Duplicate) if attempt < ATTEMPTS && Instant::now() < job.deadline => {
                link.roll_back()?;
                std::thread::sleep(db::pause(attempt));
            }
            begun => break begun,
        }
        attempt += 1;
    };
    let done = begun.and_then(|stored| {
        if stored.iter().any(|stored| matches!(stored, Stored::Yes(_))) {
            link.run_piece(&text::commit_with_answer(key, &answer(&stored)))?;
        } else {
            link.roll_back()?;
        }
        Ok(stored)
    });
    if !matches!(done, Ok(_) | Err(Trouble::Unavailable(_))) {
        link.roll_back()?;
    }
    done
}

impl From<Trouble> for WriteError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::KeyTaken => Self::KeyTaken,
            Trouble::Duplicate => Self::Unavailable("others stored the same event ids again and again".to_owned()),
            Trouble::Unavailable(reason)
            | Trouble::Conflict(reason)
            | Trouble::Locked(reason)
            | Trouble::Refused(reason) => Self::Unavailable(reason),
            Trouble::UnknownApp => Self::Unavailable("an app is gone".to_owned()),
        }
    }
}

/// Tells each request of a group what became of its records.
fn tell(group: Vec<Job>, mut stored: impl Iterator<Item = Stored>) {
    for job in group {
        let own = stored.by_ref().take(job.records.len()).collect();
        (job.reply)(Ok(own));
    }
}
