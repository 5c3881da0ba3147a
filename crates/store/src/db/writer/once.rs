//! A request with a key of its own: its records, its key and its answer in one transaction.

use logmon_core::log::Record;

use super::events::{Known, Sifted};
use super::link::{Ids, Link, Trouble};
use super::queue::Job;
use super::{Earlier, Key, Stored, text};

/// Stores a request's records and its key, up to where its answer is known: the transaction's end is still to come.
pub(super) fn begin(link: &mut Link, job: &Job, key: &Key) -> Result<Vec<Stored>, Trouble> {
    let records: Vec<&Record> = job.records.iter().collect();
    let known = link.known_events(&records)?;
    match begin_together(link, &records, key, &known) {
        Err(Trouble::UnknownApp | Trouble::Refused(_)) => {
            link.roll_back()?;
            begin_key(link, key)?;
            store_each(link, &records, known)
        }
        begun => begun,
    }
}

fn begin_together(link: &mut Link, records: &[&Record], key: &Key, known: &Known) -> Result<Vec<Stored>, Trouble> {
    let sifted = Sifted::new(records, known);
    if records.iter().all(|record| record.event_id.is_none()) {
        let begun = link.run_piece(&text::begin_with_key(key, records.iter().copied()));
        return Ok(sifted.stored(begun.map_err(of_key)?));
    }
    // In two steps, for the event ids may be there already as well.
    begin_key(link, key)?;
    if sifted.fresh.is_empty() {
        return Ok(sifted.stored(Ids::NONE));
    }
    let ids = link.run_piece(&text::statements(sifted.fresh.iter().copied(), link.step))?;
    Ok(sifted.stored(ids))
}

fn begin_key(link: &mut Link, key: &Key) -> Result<(), Trouble> {
    link.run_piece(&text::begin_key(key)).map(drop).map_err(of_key)
}

fn of_key(trouble: Trouble) -> Trouble {
    if trouble == Trouble::Duplicate { Trouble::KeyTaken } else { trouble }
}

/// Stores records one by one within a transaction that was begun: one that is refused takes back only itself.
fn store_each(link: &mut Link, records: &[&Record], mut known: Known) -> Result<Vec<Stored>, Trouble> {
    let mut stored = Vec::with_capacity(records.len());
    for record in records {
        if let Some(earlier) = known.of(record) {
            stored.push(Stored::Before(earlier));
            continue;
        }
        stored.push(match link.run_piece(&text::one(record)) {
            Ok(ids) => {
                known.note(record, Earlier { id: ids.nth(0), created_at: record.created_at });
                Stored::Yes(ids.nth(0))
            }
            Err(refused @ (Trouble::UnknownApp | Trouble::Refused(_))) => {
                link.run_piece(text::WITHOUT_ONE)?;
                if refused == Trouble::UnknownApp { Stored::UnknownApp } else { Stored::Refused }
            }
            Err(trouble) => return Err(trouble),
        });
    }
    Ok(stored)
}
