//! What Redis alone takes for tasks: messages are fetched and ended with a result, and nothing is run. What LogMon's
//! worker is measured against.
//!
//! usage: `queue_limit redis://HOST:PORT/DATABASE QUEUE`, empties the queue and prints tasks a second

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a tool for measuring")]

use std::time::{Duration, Instant};

use logmon_core::celery::TaskMessage;
use logmon_core::config::BrokerSettings;
use logmon_store::broker::{Broker, Finish, WorkerId};

const AT_ONCE: usize = 64;
const RESULT: &str = r#"{"status": "SUCCESS", "result": "x", "traceback": null, "children": [], "date_done": "2026-11-24T00:00:00.000000+00:00", "task_id": "#;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, queue] = arguments.as_slice() else {
        eprintln!("usage: queue_limit redis://HOST:PORT/DATABASE QUEUE");
        return;
    };
    let settings = BrokerSettings {
        redis_url: url.clone().into(),
        redis_key_prefix: String::new(),
        result_expires: Duration::from_secs(86_400),
        task_sent_events: false,
    };
    let broker = Broker::new(&settings, 1).unwrap();
    let (worker, queues) = (WorkerId::of_this_process(), [queue.clone()]);
    let (start, mut done) = (Instant::now(), 0_u32);
    loop {
        let look = broker.fetch(&queues, &worker, AT_ONCE).unwrap();
        if look.fetched.is_empty() {
            break;
        }
        let finishes: Vec<Finish> = look
            .fetched
            .into_iter()
            .map(|fetched| {
                let task = TaskMessage::id_of(&fetched.raw).unwrap();
                let document = Some(format!("{RESULT}\"{task}\"}}"));
                Finish { tag: fetched.tag, task, document, publish: Vec::new(), keep: Vec::new() }
            })
            .collect();
        done += u32::try_from(finishes.len()).unwrap();
        broker.finish(&worker, &finishes).unwrap();
    }
    println!("{:.0}", f64::from(done) / start.elapsed().as_secs_f64());
    broker.leave(&worker).unwrap();
}
