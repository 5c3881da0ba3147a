//! Records with an event id: which of them were stored before, which repeat one another, and what is left to store.

use std::collections::{HashMap, HashSet};

use logmon_core::app::AppId;
use logmon_core::log::{EventId, Record};

use super::link::Ids;
use super::{Earlier, Stored, packets};

/// The event ids that are known, and the logs that were stored for them.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<AppId, HashMap<Vec<u8>, Earlier>>);

impl Known {
    pub(super) fn add(&mut self, app: AppId, event_id: Vec<u8>, earlier: Earlier) {
        self.0.entry(app).or_default().insert(event_id, earlier);
    }

    /// Notes that a record was stored, if it has an event id.
    pub(super) fn note(&mut self, record: &Record, earlier: Earlier) {
        if let Some(event_id) = &record.event_id {
            self.add(record.app, event_id.as_str().as_bytes().to_vec(), earlier);
        }
    }

    /// The log that was stored for a record with the same event id.
    pub(super) fn of(&self, record: &Record) -> Option<Earlier> {
        let event_id = record.event_id.as_ref()?;
        self.0.get(&record.app)?.get(event_id.as_str().as_bytes()).copied()
    }
}

/// Records without those that need not be stored.
pub(super) struct Sifted<'a> {
    /// What is to be stored, in its order.
    pub(super) fresh: Vec<&'a Record>,
    /// What is to become of each record.
    places: Vec<Place>,
}

enum Place {
    /// It is stored, as this one of the fresh ones.
    Fresh(usize),
    /// This one of the fresh ones has the same event id.
    Repeat(usize),
    /// It was stored before.
    Before(Earlier),
    /// Its app is gone.
    Gone,
    /// No statement holds it.
    TooLarge,
}

impl<'a> Sifted<'a> {
    /// Of apps that are `gone` nothing is stored, nor what needs a statement of more than `room` bytes.
    pub(super) fn new(records: &[&'a Record], known: &Known, gone: &HashSet<AppId>, room: usize) -> Self {
        let mut sifted = Self { fresh: Vec::with_capacity(records.len()), places: Vec::with_capacity(records.len()) };
        let mut first: HashMap<(AppId, &EventId), usize> = HashMap::new();
        for record in records {
            let next = sifted.fresh.len();
            let place = match (known.of(record), &record.event_id) {
                _ if gone.contains(&record.app) => Place::Gone,
                (Some(earlier), _) => Place::Before(earlier),
                _ if packets::is_too_large(record, room) => Place::TooLarge,
                (None, None) => Place::Fresh(next),
                (None, Some(event_id)) => match *first.entry((record.app, event_id)).or_insert(next) {
                    first if first == next => Place::Fresh(next),
                    first => Place::Repeat(first),
                },
            };
            if matches!(place, Place::Fresh(_)) {
                sifted.fresh.push(record);
            }
            sifted.places.push(place);
        }
        sifted
    }

    /// What became of each record, when the fresh ones are stored under `ids`.
    pub(super) fn stored(&self, ids: &Ids) -> Vec<Stored> {
        let outcome = |place: &Place| match *place {
            Place::Before(earlier) => Stored::Before(earlier),
            Place::Gone => Stored::UnknownApp,
            Place::TooLarge => Stored::TooLarge,
            Place::Fresh(number) => Stored::Yes(ids.nth(number)),
            Place::Repeat(number) => match self.fresh.get(number) {
                Some(first) => Stored::Before(Earlier { id: ids.nth(number), created_at: first.created_at }),
                None => Stored::Refused,
            },
        };
        self.places.iter().map(outcome).collect()
    }
}
