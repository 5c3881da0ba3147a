//! What happens and what is told of it are written together, or not at all.

use serde_json::json;

use crate::rig::Rig;

#[test]
fn an_alert_that_could_not_be_told_is_not_raised_and_is_raised_and_told_later() {
    let rig = Rig::new(1, 24);
    let channel = rig.channel(&json!({"kind": "email", "name": "mail", "config": {"to": ["ops@example.com"]}}));
    rig.rule(&json!({"name": "errors", "threshold": 0, "every": "10m", "resolve_after": 1, "channels": [channel.0]}));
    let rows = || {
        ["core_alert", "core_alertevent", "core_notification", "core_delivery"]
            .map(|table| rig.database.number(&format!("SELECT COUNT(*) FROM {table}")))
    };
    let fail = "CREATE TRIGGER fail BEFORE INSERT ON core_delivery FOR EACH ROW SIGNAL SQLSTATE '45000'";
    rig.database.execute(fail);
    rig.errors([rig.now()]);
    rig.pass(10);
    assert!(!rig.try_evaluate());
    assert_eq!(rows(), [0; 4]);
    assert_eq!(rig.database.number("SELECT COUNT(*) FROM core_evaluation WHERE outcome = 'breached'"), 0);
    rig.database.execute("DROP TRIGGER fail");
    assert_eq!(rig.evaluate(), 1);
    assert_eq!(rows(), [1; 4]);

    // The same holds for its end.
    rig.database.execute(fail);
    rig.pass(10);
    assert!(!rig.try_evaluate());
    assert_eq!(rig.open().len(), 1);
    rig.database.execute("DROP TRIGGER fail");
    rig.evaluate();
    assert_eq!((rig.open().len(), rows()), (0, [1, 2, 2, 2]));
}
