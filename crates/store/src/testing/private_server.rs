//! A Redis of a test's own, for what a test cannot do to the one that all share: kill it, or make it take no writes.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Process, Signal, eventually};

/// A server that has on its disk what it has acknowledged. Dropped, it is killed and its data deleted.
pub struct PrivateRedis {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl PrivateRedis {
    /// Starts a server and waits until it answers.
    pub fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("logmon-redis-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let port = free_port();
        let process = launch(&folder, port);
        let redis = Self { folder, port, process };
        redis.wait_until_it_answers();
        redis
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Kills it, so that it has no chance to write anything more, and starts it again with what is on its disk.
    pub fn crash(&mut self) {
        self.process.signal(Signal::Kill);
        self.process.wait();
        self.process = launch(&self.folder, self.port);
        self.wait_until_it_answers();
    }

    /// From now on it refuses writes with READONLY, as one that has lost its role in a failover.
    pub fn refuse_writes(&self) {
        // Nobody listens there, so that it keeps its data.
        self.say(&["REPLICAOF", "127.0.0.1", "1"]);
    }

    /// How many writes it has refused so.
    pub fn refused(&self) -> u64 {
        let info: String = self.try_say(&["INFO", "errorstats"]).unwrap_or_else(|e| panic!("{e}"));
        let count = info.lines().find_map(|line| line.trim().strip_prefix("errorstat_READONLY:count="));
        count.map_or(0, |count| count.parse().unwrap_or_else(|e| panic!("{e}: {count}")))
    }

    /// It takes writes again.
    pub fn take_writes(&self) {
        self.say(&["REPLICAOF", "NO", "ONE"]);
    }

    /// From now on it is full: it refuses whatever takes memory.
    pub fn fill(&self) {
        self.say(&["CONFIG", "SET", "maxmemory", "1"]);
    }

    /// It has room again.
    pub fn make_room(&self) {
        self.say(&["CONFIG", "SET", "maxmemory", "0"]);
    }

    /// Changes a setting of it.
    pub fn set(&self, setting: &str, value: &str) {
        self.say(&["CONFIG", "SET", setting, value]);
    }

    /// From now on it refuses a command.
    pub fn forbid(&self, command: &str) {
        self.say(&["ACL", "SETUSER", "default", &format!("-{command}")]);
    }

    fn say(&self, words: &[&str]) {
        self.try_say::<()>(words).unwrap_or_else(|e| panic!("{words:?}: {e}"));
    }

    fn try_say<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query(&mut redis::Client::open(self.url())?.get_connection()?)
    }

    // It may be reading its data still, or have found its port taken for a moment.
    fn wait_until_it_answers(&self) {
        eventually("a Redis of its own", || self.try_say::<()>(&["PING"]).ok());
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        // Nobody uses it any more, so that it writes nothing; what is left lies in the folder for temporary files.
        let _deleted = std::fs::remove_dir_all(&self.folder);
    }
}

fn launch(folder: &Path, port: u16) -> Process {
    let (program, port, path) = (server(folder), port.to_string(), folder.to_string_lossy());
    let place = ["--port", &port, "--bind", "127.0.0.1", "--dir", &path, "--logfile", "redis.log"];
    let disk = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];
    Process::start(&program, &[place.as_slice(), &disk].concat(), &[])
}

/// The server's program. Where only Redis's tools are installed, they are the server under another name.
fn server(folder: &Path) -> String {
    let find = |name: &str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output();
        let path = found.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        (!path.is_empty()).then_some(path)
    };
    find("redis-server").unwrap_or_else(|| {
        let tool = find("redis-check-rdb").unwrap_or_else(|| panic!("Redis is not installed"));
        let link = folder.join("redis-server");
        if !link.exists() {
            std::os::unix::fs::symlink(tool, &link).unwrap_or_else(|e| panic!("{}: {e}", link.display()));
        }
        link.to_string_lossy().into_owned()
    })
}

/// A port that the system gives to no client: one that asks for an absent server may be given its port and meet itself.
fn free_port() -> u16 {
    let mut candidates = (0..100).map(|_| rand::random_range(10_000..32_000));
    let free = candidates.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.unwrap_or_else(|| panic!("no free port"))
}
