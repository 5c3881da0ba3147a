//! A Python program that a test talks to: a JSON value a line, to its standard input and from its standard output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// The Python of the tests, which has what `scripts/test-requirements.txt` names.
#[expect(clippy::disallowed_methods, clippy::expect_used, reason = "says where the tests' Python is")]
pub fn interpreter() -> String {
    std::env::var("TEST_PYTHON").expect("run the tests by scripts/test: it installs what they need")
}

/// A running program. Dropped, it is killed.
pub struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts a program with further settings in its environment.
    pub fn start(script: &str, settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(interpreter())
            .arg(script)
            .envs(settings.iter().copied())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{script}: {e}"));
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = input.zip(output).unwrap_or_else(|| panic!("no pipes"));
        Self { child, input, output: BufReader::new(output) }
    }

    /// Sends it a value and gives what it answers; fails when it ends instead.
    pub fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").unwrap_or_else(|e| panic!("{question}: {e}"));
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap_or_else(|e| panic!("{question}: {e}"));
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{question}: {e}: {line:?}"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.kill().is_ok() {
            let _ended = self.child.wait();
        }
    }
}
