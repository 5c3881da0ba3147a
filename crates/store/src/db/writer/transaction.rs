//! One transaction: the records of some requests with their counts and event ids, and the keys and answers of those that
//! have one. All of it is stored, or nothing.

use std::collections::HashSet;

use logmon_core::app::AppId;
use logmon_core::log::Record;

use super::events::Sifted;
use super::link::{Ids, Link, Trouble};
use super::queue::Request;
use super::{Answer, Earlier, Key, Stored, packets, text};

/// Stores requests, without the records of apps that are `gone`. What became of each record, in their order.
pub(super) fn store(link: &mut Link, group: &[Request], gone: &HashSet<AppId>) -> Result<Vec<Stored>, Trouble> {
    let records = || group.iter().flat_map(|request| &request.records);
    let is_plain = group.iter().all(|request| request.key.is_none())
        && gone.is_empty()
        && records().all(|record| record.event_id.is_none())
        && packets::fits(records(), link.room);
    let done = if is_plain {
        link.run(&(text::statements(records(), link.step) + text::COMMIT))
            .map(|first| Ids::of_one(first, link.step))
            .map(|ids| (0..records().count()).map(|number| Stored::Yes(ids.nth(number))).collect())
    } else {
        store_in_steps(link, group, gone)
    };
    or_roll_back(link, done)
}

/// Stores one request, record by record: one that is refused takes back only itself.
pub(super) fn store_each(link: &mut Link, request: &Request, gone: &HashSet<AppId>) -> Result<Vec<Stored>, Trouble> {
    let done = store_each_in_steps(link, request, gone);
    or_roll_back(link, done)
}

fn or_roll_back<T>(link: &mut Link, done: Result<T, Trouble>) -> Result<T, Trouble> {
    if !matches!(done, Ok(_) | Err(Trouble::Unavailable(_))) {
        link.roll_back()?;
    }
    done
}

fn store_in_steps(link: &mut Link, group: &[Request], gone: &HashSet<AppId>) -> Result<Vec<Stored>, Trouble> {
    let records: Vec<&Record> = group.iter().flat_map(|request| &request.records).collect();
    let known = link.known_events(&records)?;
    let sifted = Sifted::new(&records, &known, gone, link.room);
    let (mut ids, has_keys) = (Ids::none(link.step), group.iter().any(|request| request.key.is_some()));
    let parts = packets::parts(&sifted.fresh, link.room);
    for (number, part) in parts.iter().enumerate() {
        let end = if !has_keys && number + 1 == parts.len() { text::COMMIT } else { "" };
        let first = link.run(&(text::statements(part.iter().copied(), link.step) + end))?;
        ids.add(part.len(), first);
    }
    let stored = sifted.stored(&ids);
    if has_keys {
        store_keys(link, group, &stored)?;
    }
    Ok(stored)
}

/// Ends a transaction with the keys under which something was stored. One under which nothing was must not be there
/// already: its request has an answer then.
fn store_keys(link: &mut Link, group: &[Request], stored: &[Stored]) -> Result<(), Trouble> {
    let (mut rest, mut answered, mut unused): (_, Vec<(&Key, Answer)>, Vec<&Key>) = (stored, Vec::new(), Vec::new());
    for request in group {
        let (own, others) = rest.split_at_checked(request.records.len()).unwrap_or((rest, &[]));
        rest = others;
        match request.key.as_deref() {
            None => {}
            Some((key, answer)) if own.iter().any(|stored| matches!(stored, Stored::Yes(_))) => {
                answered.push((key, answer(own)));
            }
            Some((key, _)) => unused.push(key),
        }
    }
    if !unused.is_empty() && !link.taken_keys(&unused)?.is_empty() {
        return Err(Trouble::KeyTaken);
    }
    // In the order of the key, so that no two groups wait for each other.
    answered.sort_unstable_by(|(key, _), (other, _)| key.key.cmp(&other.key));
    let statements = text::keys(&answered, link.room);
    if statements.iter().any(|statement| statement.len() > link.room) {
        return Err(Trouble::AnswerTooLarge);
    }
    let of_keys = |trouble| match trouble {
        Trouble::Duplicate => Trouble::KeyTaken,
        Trouble::Locked(reason) => Trouble::KeyLocked(reason),
        trouble => trouble,
    };
    match statements.split_last() {
        None => link.run("COMMIT")?,
        Some((last, others)) => {
            for statement in others {
                link.run(statement).map_err(of_keys)?;
            }
            link.run(&format!("{last};COMMIT")).map_err(of_keys)?
        }
    };
    Ok(())
}

fn store_each_in_steps(link: &mut Link, request: &Request, gone: &HashSet<AppId>) -> Result<Vec<Stored>, Trouble> {
    let records: Vec<&Record> = request.records.iter().collect();
    let mut known = link.known_events(&records)?;
    let mut stored = Vec::with_capacity(records.len());
    for record in records {
        let alone = Sifted::new(&[record], &known, gone, link.room);
        if alone.fresh.is_empty() {
            stored.extend(alone.stored(&Ids::none(link.step)));
            continue;
        }
        stored.push(match link.run(&text::one(record)) {
            Ok(first) => {
                let id = Ids::of_one(first, link.step).nth(0);
                known.note(record, Earlier { id, created_at: record.created_at });
                Stored::Yes(id)
            }
            Err(Trouble::UnknownApp) => {
                link.run(text::WITHOUT_ONE)?;
                Stored::UnknownApp
            }
            Err(Trouble::Refused(reason)) => {
                let (app_id, size_bytes) = (record.app.0, record.message.len());
                log::warn!(app_id, size_bytes; "a record was refused: {reason}");
                link.run(text::WITHOUT_ONE)?;
                Stored::Refused
            }
            Err(trouble) => return Err(trouble),
        });
    }
    if request.key.is_some() {
        store_keys(link, std::slice::from_ref(request), &stored)?;
    } else {
        link.run("COMMIT")?;
    }
    Ok(stored)
}
