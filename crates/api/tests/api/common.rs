//! What the tests of the programs share.

use std::process::Command;

use logmon_store::testing::python::interpreter;
pub(crate) use logmon_store::testing::system::{Api, System};

/// The program under test.
pub(crate) const API: &str = env!("CARGO_BIN_EXE_logmon-api");

/// Runs a program of `tests/python` to its end, for at most three minutes, and gives what it printed; fails when it does.
pub(crate) fn python(script: &str, arguments: &[&str]) -> String {
    let path = format!("{}/tests/python/{script}", env!("CARGO_MANIFEST_DIR"));
    let output =
        Command::new("timeout").args(["--kill-after=5", "180", &interpreter(), &path]).args(arguments).output();
    let output = output.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}
