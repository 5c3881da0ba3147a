//! Whether a message contains the text of a term, as a condition that passes most others by at little cost.
//!
//! A regular expression says it, since each character of the text may be any that is taken for it. It is slow where it
//! reads characters and begins with several of them, and fast where it reads bytes and begins with one that is seldom. So a
//! character of the term that logs seldom have is looked for first, byte by byte, with a little of what must stand around
//! it; only where that is found, the whole is asked. A text none of whose characters has another is simply looked for.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use diesel::dsl::sql;
use diesel::sql_types::{Bool, Text};
use logmon_core::log::Term;

use super::filter::Condition;

/// How many characters around the one that is looked for must be there, on each side.
const AROUND: usize = 3;
/// Looking for a character that costs more than this takes as long as asking the whole at once.
const COST_MAX: usize = 5;
/// Any byte of a character that is not ASCII.
const BEYOND_ASCII: &str = "[\\x80-\\xff]";

/// Whether a message contains the text of a term. LIKE would take longer, and the square of a text of equal characters.
pub(super) fn contains(term: &Term) -> Condition {
    let characters: Vec<Vec<char>> = term.characters().collect();
    if let Some(text) = characters.iter().map(|alike| only(alike)).collect::<Option<String>>() {
        return Box::new(sql::<Bool>("LOCATE(CAST(").bind::<Text, _>(text).sql(" AS BINARY), message) > 0"));
    }
    let first = seldom(&characters).map(|at| sought(&characters, at)).unwrap_or_default();
    Box::new(sql::<Bool>(&format!("({first}message RLIKE ")).bind::<Text, _>(pattern(&characters)).sql(")"))
}

/// A regular expression, in what all dialects have, for a text each of whose characters may be any that is taken for it.
fn pattern(characters: &[Vec<char>]) -> String {
    // Letter case is among what is taken for each other.
    let mut pattern = String::from("(?-i)");
    for alike in characters {
        if let [one] = alike.as_slice() {
            push(&mut pattern, *one);
            continue;
        }
        pattern.push('[');
        // As ranges, where they follow each other: there is a bound on how large an expression may be.
        for range in alike.chunk_by(|one, next| u32::from(*one) + 1 == u32::from(*next)) {
            if let [first, .., last] = range {
                push(&mut pattern, *first);
                pattern.push('-');
                push(&mut pattern, *last);
            } else {
                range.iter().for_each(|one| push(&mut pattern, *one));
            }
        }
        pattern.push(']');
    }
    pattern
}

/// Adds a character that means itself.
fn push(pattern: &mut String, c: char) {
    if c.is_alphanumeric() {
        pattern.push(c);
    } else {
        // Writing to a String cannot fail.
        let _written = write!(pattern, "\\x{{{:x}}}", u32::from(c));
    }
}

/// The character, where no other one is taken for it.
fn only(alike: &[char]) -> Option<char> {
    if let [one] = alike { Some(*one) } else { None }
}

/// Where the character stands that is looked for at the least cost; `None` where each costs too much.
fn seldom(characters: &[Vec<char>]) -> Option<usize> {
    let costs = characters.iter().enumerate().filter_map(|(at, alike)| Some((often(alike)? + leads(alike).len(), at)));
    costs.min().filter(|(cost, _)| *cost <= COST_MAX).map(|(_, at)| at)
}

/// What it costs that logs have this character elsewhere, in what it costs to look for a byte that is nowhere. `None` where
/// there are several, and none is ASCII.
fn often(alike: &[char]) -> Option<usize> {
    let ascii = alike.iter().find(|c| c.is_ascii()).map(char::to_ascii_lowercase);
    Some(match ascii {
        Some('j' | 'k' | 'q' | 'v' | 'x' | 'z') => 1,
        Some('b' | 'f' | 'g' | 'm' | 'p' | 'w' | 'y') => 3,
        Some('0'..='9') => 5,
        Some(' ' | 'a'..='z') => 9,
        Some(_) => 2,
        None => only(alike).map(|_one| 2)?,
    })
}

/// What those of these characters begin with that are not ASCII, where there are several.
fn leads(alike: &[char]) -> BTreeSet<u8> {
    let first = |c: &char| c.encode_utf8(&mut [0; 4]).bytes().next();
    let several = alike.iter().filter(|_| only(alike).is_none());
    several.filter(|c| !c.is_ascii()).filter_map(first).collect()
}

/// What every message has that contains the text, and few others: the character at a place, with what is around it, or the
/// first byte of another one that is taken for it. Only MariaDB reads it. For MySQL, whose regular expressions know no
/// bytes, it stands in a comment.
fn sought(characters: &[Vec<char>], at: usize) -> String {
    let Some((before, [here, behind @ ..])) = characters.split_at_checked(at) else { return String::new() };
    let Some(class) = only(here).map(bytes_of).or_else(|| ascii(here)) else { return String::new() };
    let first = format!("{class}{}{}", preceded(before, &class), followed(behind));
    let any = std::iter::once(first).chain(leads(here).into_iter().map(byte));
    let any: Vec<String> = any.map(|one| format!("CONVERT(message USING binary) RLIKE x'{}'", hex(&one))).collect();
    format!("/*M!100100 ({}) AND */ ", any.join(" OR "))
}

/// That the last ones of these characters stand before `here`, and it.
fn preceded(before: &[Vec<char>], here: &str) -> String {
    if before.is_empty() {
        return String::new();
    }
    let (mut ways, mut rest) = (Vec::new(), Some(here.to_owned()));
    for alike in before.iter().rev().take(AROUND) {
        let Some(behind) = rest.take() else { break };
        if !alike.iter().all(char::is_ascii) {
            ways.push(format!("{BEYOND_ASCII}{behind}"));
        }
        rest = ascii(alike).map(|class| class + &behind);
    }
    ways.extend(rest);
    // What is looked behind for has a length, and a character that is not ASCII has several.
    format!("(?<={})", ways.join("|"))
}

/// That the first ones of these characters come next.
fn followed(behind: &[Vec<char>]) -> String {
    behind.iter().take(AROUND).rev().fold(String::new(), |then, alike| match ascii(alike) {
        None => BEYOND_ASCII.to_owned(),
        Some(class) if alike.iter().all(char::is_ascii) => class + &then,
        Some(class) => format!("(?:{BEYOND_ASCII}|{class}{then})"),
    })
}

/// Those of these characters that are ASCII, if there are any.
fn ascii(alike: &[char]) -> Option<String> {
    let bytes: String = alike.iter().filter(|c| c.is_ascii()).map(|c| bytes_of(*c)).collect();
    (!bytes.is_empty()).then(|| format!("[{bytes}]"))
}

fn bytes_of(c: char) -> String {
    c.encode_utf8(&mut [0; 4]).bytes().map(byte).collect()
}

fn byte(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
