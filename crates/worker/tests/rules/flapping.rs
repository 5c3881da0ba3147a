//! Alerts that open and resolve again and again: told once that they do, and once how it is when they have calmed down.

use logmon_core::alert::Alert;
use serde_json::json;

use crate::rig::Rig;

impl Rig {
    /// As [`Rig::telling`], with a rule whose alerts flap after so many changes.
    fn flapping_after(changes: u32) -> Self {
        let rig = Self::telling();
        rig.database.execute(&format!("UPDATE core_rule SET flapping_after = {changes}"));
        rig
    }

    /// The alerts of app 1 open and resolve so many times, in 20 minutes each.
    fn flap(&self, times: u32) {
        for _ in 0..times {
            self.window(&[1]);
            self.window(&[]);
        }
    }

    fn flapping(&self) -> Vec<i64> {
        let ids = self.database.lines("SELECT CAST(id AS CHAR) AS line FROM core_alert WHERE is_flapping");
        ids.into_iter().map(|id| id.parse().unwrap()).collect()
    }

    fn newest(&self) -> Alert {
        let id = self.database.number("SELECT MAX(id) FROM core_alert");
        self.alert(logmon_core::alert::AlertId(id))
    }
}

#[test]
fn an_alert_that_comes_and_goes_is_told_to_flap_once_and_how_it_is_when_it_is_calm() {
    let rig = Rig::flapping_after(3);
    rig.flap(2);
    let told = ["alert.opened 1", "alert.resolved 1", "alert.opened 1", "alert.flapping 1"];
    assert_eq!(rig.told(), told);
    assert_eq!(rig.timeline(rig.newest().id), ["opened", "resolved", "flapping"]);
    rig.flap(4);
    assert_eq!(rig.told(), told, "people know");
    assert_eq!(rig.flapping(), [rig.newest().id.0], "the newest has the mark");
    rig.window(&[1]);
    rig.flap(1);
    for _ in 0..5 {
        rig.window(&[]);
        assert_eq!(rig.told().len(), 4, "it is not calm for an hour yet");
    }
    rig.window(&[]);
    assert_eq!(rig.told()[4..], ["alert.resolved 1"]);
    assert_eq!((rig.timeline(rig.newest().id).last(), rig.flapping()), (Some(&"calmed"), vec![]));
    // From here on it is counted anew.
    rig.flap(1);
    assert_eq!(rig.told()[5..], ["alert.opened 1", "alert.resolved 1"]);
    rig.flap(1);
    assert_eq!(rig.told()[7..], ["alert.opened 1", "alert.flapping 1"]);
}

#[test]
fn one_that_stays_open_after_it_flapped_is_told_after_an_hour() {
    let rig = Rig::flapping_after(2);
    rig.flap(1);
    rig.window(&[1, 2]);
    assert_eq!(rig.told()[2..], ["alert.flapping 1", "alert.opened 2"], "the other app does not flap");
    rig.flap(1);
    for _ in 0..6 {
        rig.window(&[1]);
        assert_eq!(rig.told().len(), 5, "{:?}", rig.told());
    }
    rig.window(&[1]);
    assert_eq!(rig.told()[5..], ["alert.opened 1"]);
    rig.window(&[]);
    assert_eq!(rig.told()[6..], ["alert.resolved 1"]);
}

#[test]
fn what_changes_seldom_or_may_change_as_often_as_it_likes_does_not_flap() {
    let rig = Rig::flapping_after(3);
    for _ in 0..3 {
        rig.flap(1);
        rig.pass(6 * 60);
        rig.evaluate();
    }
    assert_eq!((rig.told().len(), rig.flapping()), (6, vec![]), "{:?}", rig.told());
    let rig = Rig::flapping_after(0);
    rig.flap(5);
    assert_eq!((rig.told().len(), rig.flapping()), (10, vec![]));
    // A rule that is changed so lets go of what flaps.
    let rig = Rig::flapping_after(1);
    rig.flap(1);
    assert_eq!(rig.flapping().len(), 1);
    rig.database.execute("UPDATE core_rule SET flapping_after = 0");
    rig.dispatch();
    assert_eq!(rig.told(), ["alert.opened 1", "alert.flapping 1", "alert.resolved 1"]);
}

#[test]
fn what_flaps_in_a_silence_is_told_after_it() {
    let rig = Rig::flapping_after(3);
    rig.silence(&json!({"ends_at": super::silences::in_minutes(&rig, 95)}));
    rig.flap(4);
    rig.window(&[1]);
    assert!(rig.told().is_empty());
    rig.window(&[]);
    rig.window(&[1]);
    assert_eq!(rig.told(), ["alert.flapping 1"]);
}
