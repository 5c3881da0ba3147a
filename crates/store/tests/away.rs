//! A server to which no connection can be made: whoever asks is told which one it is and why, and no secret.

#![allow(clippy::unwrap_used, reason = "a test fails where this does")]

use std::time::Duration;

use logmon_core::config::{BrokerSettings, DatabaseSettings};
use logmon_store::broker::Broker;
use logmon_store::db::Database;
use logmon_store::testing::private_server::PrivateRedis;
use logmon_store::testing::{TestDatabase, settings};
use url::Url;

const SECRET: &str = "nobody-knows";

/// What each of several who ask at once is told.
fn told_at_once(ask: impl Fn() -> String + Sync) -> Vec<String> {
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(&ask)).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

fn assert_told(place: &str, why: &str, ask: impl Fn() -> String + Sync) {
    for told in told_at_once(ask) {
        assert!(told.contains(place) && told.contains(why) && !told.contains(SECRET), "{why}: {told}");
    }
}

#[test]
fn who_gets_no_connection_to_the_database_is_told_why() {
    let test = TestDatabase::empty();
    let url = Url::parse(&test.url()).unwrap();
    let place = format!("127.0.0.1:{}{}", url.port().unwrap(), url.path());
    let refused = |settings: &DatabaseSettings| {
        let database = Database::new(settings);
        move || database.get().map(drop).unwrap_err().to_string()
    };
    let mut stranger = url.clone();
    stranger.set_password(Some(SECRET)).unwrap();
    assert_told(&place, "Access denied", refused(&settings(stranger.as_str())));
    let mut elsewhere = url.clone();
    elsewhere.set_path("/not_there");
    assert_told("127.0.0.1", "not_there", refused(&settings(elsewhere.as_str())));
    let mut nobody = url;
    nobody.set_port(Some(1)).unwrap();
    assert_told("127.0.0.1:1/", "Can't connect", refused(&settings(nobody.as_str())));
}

#[test]
fn who_waits_for_a_connection_that_others_have_is_told_that() {
    let test = TestDatabase::empty();
    let database =
        Database::new(&DatabaseSettings { database_connections: std::num::NonZeroU32::MIN, ..settings(&test.url()) });
    let _held = database.get().unwrap();
    let told = database.get().map(drop).unwrap_err().to_string();
    assert!(told.contains("timed out waiting for connection"), "{told}");
}

#[test]
fn who_gets_no_connection_to_redis_is_told_why() {
    let redis = PrivateRedis::start();
    redis.set("requirepass", "known-to-it");
    let mut url = Url::parse(&redis.url()).unwrap();
    let refused = |url: &Url| {
        let settings = BrokerSettings {
            redis_url: url.as_str().into(),
            redis_key_prefix: String::new(),
            result_expires: Duration::from_secs(1),
            task_sent_events: false,
        };
        let broker = Broker::new(&settings, 4).unwrap();
        move || broker.depth("celery").unwrap_err().to_string()
    };
    let place = format!("127.0.0.1:{}", url.port().unwrap());
    assert_told(&place, "NOAUTH", refused(&url));
    url.set_password(Some(SECRET)).unwrap();
    assert_told(&place, "Password authentication failed", refused(&url));
    url.set_port(Some(1)).unwrap();
    assert_told("127.0.0.1:1", "refused", refused(&url));
}
