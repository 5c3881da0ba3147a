//! Each slot of the schedule is pushed once.

use std::time::Duration;

use chrono::DateTime;
use logmon_core::celery::{Arguments, NewTask};
use logmon_core::clock::{Clock as _, SystemClock};
use logmon_store::broker::Dispatch;
use redis::Commands as _;

use crate::rig::{QUEUE, Rig};

#[test]
fn a_slot_is_pushed_once_however_many_beats_try() {
    let rig = Rig::new();
    let slot = |n: i64| DateTime::from_timestamp(1_700_000_000 + n, 0).unwrap();
    assert_eq!(rig.broker().last_slot("e", slot(0)).unwrap(), slot(0));
    assert_eq!(rig.broker().last_slot("e", slot(5)).unwrap(), slot(0), "the first beat's beginning stands");
    let dispatch = |n| {
        let task = NewTask::new("t", QUEUE, Arguments::default());
        rig.broker().dispatch("e", slot(n), &task).unwrap()
    };
    let pushed: usize = std::thread::scope(|scope| {
        let beats: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (1..=20).filter(|n| dispatch(*n) == Dispatch::Pushed).count())).collect();
        beats.into_iter().map(|beat| beat.join().unwrap()).sum()
    });
    assert_eq!(rig.broker().depth(QUEUE).unwrap(), u64::try_from(pushed).unwrap());
    assert_eq!(dispatch(20), Dispatch::AlreadyDone);
    assert_eq!(dispatch(21), Dispatch::Pushed);
}

#[test]
fn a_slot_far_ahead_does_not_silence_the_schedule() {
    let rig = Rig::new();
    let now = SystemClock.now();
    let slots = rig.broker().keys().slots();
    rig.test
        .connect()
        .hset::<_, _, _, ()>(&slots, "e", (now + Duration::from_secs(86_400)).timestamp_millis())
        .unwrap();
    assert_eq!(rig.broker().last_slot("e", now).unwrap(), now);
    let task = NewTask::new("t", QUEUE, Arguments::default());
    assert_eq!(rig.broker().dispatch("e", now, &task).unwrap(), Dispatch::Pushed);
    assert_eq!(rig.broker().dispatch("e", now, &task).unwrap(), Dispatch::AlreadyDone);
}
