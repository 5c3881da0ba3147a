//! What a server says that takes nothing now, told from what it refuses for good.

use logmon_store::broker::BrokerError;
use logmon_store::testing::TestBroker;
use redis::{Cmd, RedisError};

/// What a real server makes of an error with this code: alone, and in a pipeline behind a command that went well.
fn said(code: &str) -> [RedisError; 2] {
    let test = TestBroker::new();
    let mut command = Cmd::new();
    command.arg("EVAL").arg("return redis.error_reply(ARGV[1])").arg(0).arg(format!("{code} for a test"));
    let mut conn = test.connect();
    let alone = command.query::<()>(&mut conn).unwrap_err();
    let mut pipe = redis::pipe();
    pipe.cmd("PING").add_command(command);
    [alone, pipe.query::<()>(&mut conn).unwrap_err()]
}

#[test]
fn who_takes_nothing_now_is_away_and_the_rest_is_refused() {
    let codes = "OOM MISCONF NOREPLICAS UNBLOCKED READONLY LOADING MASTERDOWN TRYAGAIN CLUSTERDOWN BUSY";
    for code in codes.split(' ') {
        for error in said(code).map(BrokerError::from) {
            assert!(matches!(&error, BrokerError::Unavailable(_)), "{error}");
            assert!(error.to_string().contains("for a test"), "{error}");
        }
    }
    for code in ["WRONGTYPE", "ERR", "NOPERM", "OOMPH"] {
        for error in said(code).map(BrokerError::from) {
            assert!(matches!(&error, BrokerError::Refused(_)), "{error}");
        }
    }
}
