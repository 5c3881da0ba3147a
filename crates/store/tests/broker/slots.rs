//! The task of each slot of the schedule is pushed once.

use chrono::DateTime;
use logmon_core::celery::{Arguments, NewTask};
use logmon_store::broker::Push;

use crate::rig::{QUEUE, Rig};

#[test]
fn a_slot_is_pushed_once_however_many_beats_try_and_in_whatever_order() {
    let rig = Rig::new();
    let push = |n: i64| {
        let slot = DateTime::from_timestamp(1_700_000_000 + n, 0).unwrap();
        rig.broker().push_slot("e", slot, &NewTask::new("t", QUEUE, Arguments::default())).unwrap()
    };
    let pushed: usize = std::thread::scope(|scope| {
        let forwards = || (1..=20).filter(|n| push(*n) == Push::Now).count();
        let backwards = || (1..=20).rev().filter(|n| push(*n) == Push::Now).count();
        let beats: Vec<_> = (0..4).flat_map(|_| [scope.spawn(forwards), scope.spawn(backwards)]).collect();
        beats.into_iter().map(|beat| beat.join().unwrap()).sum()
    });
    assert_eq!((pushed, rig.broker().depth(QUEUE).unwrap()), (20, 20));
    assert_eq!((push(20), push(21)), (Push::Before, Push::Now));
}
