//! The programs themselves, run as processes: started, told to stop, killed, and listened to.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a test waits for something before it fails: long, because machines are busy at times.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. Dropped, it is killed.
pub struct Process {
    child: Child,
    said: Arc<(Mutex<Said>, Condvar)>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// What a program has said so far, and whether it will say more.
#[derive(Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

/// Which signal a process is sent.
#[derive(Debug, Clone, Copy)]
pub enum Signal {
    /// Ends it in good order.
    Term,
    /// Ends it at once, with no chance to do anything.
    Kill,
    /// Makes it stand still.
    Stop,
    /// Makes it go on.
    Cont,
}

/// The path of a program of this workspace: it stands in the folder above that of the tests.
pub fn program(name: &str) -> String {
    let test = std::env::current_exe().unwrap_or_else(|e| panic!("{e}"));
    let path = test.parent().and_then(Path::parent).unwrap_or(&test).join(name);
    assert!(path.exists(), "{} is not built: run the tests of the whole workspace", path.display());
    path.to_string_lossy().into_owned()
}

impl Process {
    /// Starts a program with these arguments, and with these settings and no others in its environment.
    pub fn start(program: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(settings.iter().copied())
            // A folder without an .env of somebody's own.
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        let said: Arc<(Mutex<Said>, Condvar)> = Arc::default();
        let stderr = child.stderr.take().unwrap_or_else(|| panic!("no standard error"));
        let heard = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let said = || heard.0.lock().unwrap_or_else(PoisonError::into_inner);
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                said().lines.push(line);
                heard.1.notify_all();
            }
            said().ended = true;
            heard.1.notify_all();
        });
        Self { child, said, reader: Some(reader) }
    }

    /// Waits for a line that contains `text` and gives it; fails when the program ends without it.
    pub fn wait_for_line(&self, text: &str) -> String {
        let (said, changed) = &*self.said;
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |said: &Said| said.lines.iter().find(|line| line.contains(text)).cloned();
        let (said, _) = changed
            .wait_timeout_while(said, PATIENCE, |said| !said.ended && find(said).is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let state = if said.ended { "it has ended" } else { "it goes on" };
        find(&said).unwrap_or_else(|| panic!("{state}, with no line with {text:?} in {:#?}", said.lines))
    }

    /// Everything that it has said so far.
    pub fn said(&self) -> String {
        self.said.0.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has held so far, in bytes.
    pub fn memory_peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap_or_else(|e| panic!("{e}: {peak}"));
        kilobytes * 1024
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Term => "-TERM",
            Signal::Kill => "-KILL",
            Signal::Stop => "-STOP",
            Signal::Cont => "-CONT",
        };
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
    }

    /// Waits until it has ended and everything that it said was read.
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("the end of a process", || self.child.try_wait().ok().flatten());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap_or_else(|_| panic!("the reader of a process panicked"));
        }
        status
    }

    /// Tells it to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::Term);
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.kill().is_ok() {
            let _ended = self.child.wait();
        }
    }
}

/// Asks until there is an answer; fails when there is none after [`PATIENCE`].
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
