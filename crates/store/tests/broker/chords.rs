//! A chord is completed once, whatever comes twice and whoever dies.

use logmon_core::celery::{ChordPart, Outcome, TaskMessage};
use logmon_store::broker::{Counted, Finish, Held, Keep};
use redis::Commands as _;
use serde_json::json;

use crate::rig::{Rig, ending, success};

pub(crate) const GROUP: &str = "0d9c51b2";

/// What the task at this place of the header counts for, once it has come to `outcome`.
pub(crate) fn part(index: i64, outcome: &Outcome) -> ChordPart {
    let body = json!({"task": "sum", "args": [], "kwargs": {}, "options": {"task_id": "body"}});
    let message = json!({
        "body": json!([[], {}, {"chord": body}]).to_string(),
        "content-type": "application/json",
        "headers": {"task": "t", "id": format!("task-{index}"), "group": GROUP, "group_index": index},
        "properties": {"delivery_tag": "x", "delivery_info": {"exchange": "", "routing_key": "celery"}},
    });
    let message = TaskMessage::decode(message.to_string().as_bytes()).unwrap();
    message.sequel(outcome, chrono::DateTime::default()).parts.remove(0)
}

#[test]
fn the_last_of_a_header_completes_its_chord_and_does_so_again_until_the_body_is_sent() {
    let rig = Rig::new();
    let key = |suffix: &str| rig.broker().keys().group(GROUP, suffix);
    let (first, last) = (part(0, &success("1")), part(1, &success("2")));
    rig.test.connect().set::<_, _, ()>(key(".s"), 2).unwrap();
    assert_eq!(rig.broker().count(&last).unwrap(), Counted::Noted);
    // The same task again, with another result: the first one stands.
    assert_eq!(rig.broker().count(&part(1, &success("9"))).unwrap(), Counted::Noted);
    let members = ["[1, \"task-0\", \"SUCCESS\", 1]".to_owned(), "[1, \"task-1\", \"SUCCESS\", 2]".to_owned()];
    let complete = Counted::Complete { members: members.to_vec(), structure: None };
    assert_eq!(rig.broker().count(&first).unwrap(), complete);
    // Its worker dies before it has sent the body: whoever repeats the task completes the chord, and nobody else does.
    assert_eq!(rig.broker().count(&first).unwrap(), complete);
    assert_eq!(rig.broker().count(&last).unwrap(), Counted::Noted);

    let id = rig.push();
    let fetched = rig.fetch().unwrap();
    let keep = vec![Keep::End(GROUP.to_owned())];
    let finish = Finish { keep, ..ending(&fetched, &id, &success("1")) };
    assert_eq!(rig.broker().finish(&rig.worker, &[finish]).unwrap().remove(0).unwrap(), Held::Yes);
    for late in [&first, &last] {
        assert_eq!(rig.broker().count(late).unwrap(), Counted::Noted);
    }
    let left: Vec<bool> =
        [".j", ".t", ".s", ".d", ".c"].iter().map(|suffix| rig.test.connect().exists(key(suffix)).unwrap()).collect();
    assert_eq!(left, [false, false, false, false, true]);
}

#[test]
fn a_header_larger_than_lua_unpacks_is_completed() {
    let rig = Rig::new();
    let keys = rig.broker().keys();
    rig.test.connect().set::<_, _, ()>(keys.group(GROUP, ".s"), 9_001).unwrap();
    let others: Vec<(i64, String)> = (0..9_000).map(|n| (n, format!("[1, \"o{n}\", \"SUCCESS\", {n}]"))).collect();
    rig.test.connect().zadd_multiple::<_, _, _, ()>(keys.group(GROUP, ".j"), &others).unwrap();
    let Counted::Complete { members, .. } = rig.broker().count(&part(9_000, &success("0"))).unwrap() else {
        panic!("not complete")
    };
    assert_eq!((members.len(), members[0].as_str()), (9_001, "[1, \"o0\", \"SUCCESS\", 0]"));
}
