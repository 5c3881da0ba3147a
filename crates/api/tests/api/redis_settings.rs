//! What the programs say of a Redis that loses what it has taken.

use logmon_store::testing::private_server::PrivateRedis;
use logmon_store::testing::process::Process;

use crate::common::System;

const WORDS: [&str; 2] = ["`appendonly no`", "`maxmemory-policy allkeys-lru`"];

fn each_program(system: &System) -> Vec<Process> {
    let api = system.serve_with(&[("LOG_LEVEL", "debug")]).process;
    let worker = system.work(&[("LOG_LEVEL", "debug")]);
    let beat = system.start("logmon-beat", &[], &[("LOG_LEVEL", "debug")]);
    beat.wait_for_line("watching");
    vec![api, worker, beat]
}

#[test]
fn each_program_warns_of_a_redis_that_is_set_to_lose_what_it_has_taken() {
    let redis = PrivateRedis::start();
    let system = System::on(&redis);
    assert!(system.broker.broker.losses().unwrap().is_empty());
    redis.set("appendonly", "no");
    redis.set("maxmemory-policy", "allkeys-lru");
    for program in each_program(&system) {
        for word in WORDS {
            let line = program.wait_for_line(word);
            assert!(line.contains("WARN"), "{line}");
        }
    }
}

#[test]
fn a_redis_that_does_not_say_how_it_is_set_is_taken_as_it_is() {
    let redis = PrivateRedis::start();
    let system = System::on(&redis);
    redis.set("appendonly", "no");
    redis.forbid("info");
    for program in each_program(&system) {
        let line = program.wait_for_line("does not say how it is set");
        assert!(line.contains("DEBUG"), "{line}");
        assert!(!program.said().contains(WORDS[0]), "{}", program.said());
    }
}
