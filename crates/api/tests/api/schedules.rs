//! The schedule as the API tells it, and what a beat that is late or dead looks like.

use logmon_store::testing::process::{Signal, eventually};
use serde_json::{Value, json};

use crate::common::{Api, System};
use crate::metrics::figure;

const CHECK: &str = "check-error-logs-every-10-minutes";

/// Waits until `/readyz` says this of the beats, which keeps no server from being ready.
fn beat_is(api: &Api, state: &str) {
    eventually(state, || {
        let ready = api.get("/readyz");
        assert_eq!(ready.status, 200);
        (ready.json()["beat"] == state).then_some(())
    });
}

fn check(api: &Api) -> Option<Value> {
    let all = api.get("/api/schedules/").json();
    all.as_array().unwrap().iter().find(|entry| entry["entry"] == CHECK).cloned()
}

#[test]
fn the_schedule_is_told_and_a_dead_beat_is_noticed() {
    let system = System::new();
    let (api, _worker) = (system.serve(), system.work(&[]));
    beat_is(&api, "down");
    assert_eq!(api.get("/api/schedules/").json(), json!([]), "no beat has ever run");

    let beat = system.start("logmon-beat", &[], &[("CHECK_INTERVAL", "1s"), ("TIME_ZONE", "Asia/Shanghai")]);
    let done = eventually("a check that is done", || check(&api).filter(|entry| entry["status"] == "SUCCESS"));
    beat_is(&api, "ok");
    assert_eq!(
        (&done["schedule"], &done["zone"], &done["state"]),
        (&json!("every 1s"), &json!("UTC"), &json!("pushed"))
    );
    assert_eq!((&done["late"], &done["skipped"]), (&json!(false), &json!(0)));
    let text = |name: &str| done[name].as_str().unwrap().to_owned();
    assert!(text("next_slot") > text("last_slot") && text("pushed_at") >= text("last_slot"), "{done}");
    assert_eq!(api.get(&format!("/api/tasks/{}/", text("task_id"))).json()["status"], "SUCCESS");
    let all = api.get("/api/schedules/").json();
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|entry| entry["entry"].as_str().unwrap()).collect();
    let others = [
        "dispatch-notifications",
        "evaluate-rules-every-minute",
        "generate-daily-summary",
        "renew-summaries",
        "rotate-partitions",
    ];
    assert_eq!((names[0], &names[1..]), (CHECK, &others[..]));
    assert_eq!((&all[3]["schedule"], &all[3]["zone"]), (&json!("0 0 * * *"), &json!("Asia/Shanghai")));
    assert_eq!((&all[3]["late"], &all[3]["last_slot"]), (&json!(false), &Value::Null));

    // It stands still: as if for a while already.
    beat.signal(Signal::Stop);
    system.database.execute(&format!(
        "UPDATE core_schedule SET handled_until = handled_until - INTERVAL 1 MINUTE WHERE entry = '{CHECK}'"
    ));
    system.database.execute("UPDATE core_schedule SET seen_at = seen_at + INTERVAL 1 HOUR");
    beat_is(&api, "late");
    assert_eq!(check(&api).unwrap()["late"], true);
    let check_overdue = format!("schedule_overdue_seconds{{entry=\"{CHECK}\"}}");
    let overdue = |name: &str| figure(&api.address, name).unwrap();
    assert!(overdue(&check_overdue) > 30.0 && overdue("beat_up") == 1.0);
    assert!(overdue("schedule_overdue_seconds{entry=\"rotate-partitions\"}") < 30.0, "it is due every hour");
    system.database.execute("UPDATE core_schedule SET seen_at = seen_at - INTERVAL 2 HOUR");
    beat_is(&api, "down");
    assert_eq!(api.get("/api/schedules/").json().as_array().unwrap().len(), 6, "they are still told");
    assert_eq!(overdue("beat_up"), 0.0);
    beat.signal(Signal::Cont);
    beat_is(&api, "ok");
    assert_eq!(check(&api).unwrap()["late"], false);
    eventually("nothing to be overdue", || (overdue(&check_overdue) < 30.0).then_some(()));
}
