//! Counting what passed, failed and was skipped, from what test runners print.

use std::{collections::BTreeSet, fmt};

/// What passed, what failed, what was skipped and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Checks and tests that passed.
    pub(crate) passed: usize,
    /// Names of those that failed.
    pub(crate) failed: Vec<String>,
    /// Those skipped: `name: reason`.
    pub(crate) skipped: BTreeSet<String>,
}

impl Tally {
    /// Adds another count.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }

    /// One failure.
    pub(crate) fn failure(name: impl Into<String>) -> Self {
        Self {
            failed: vec![name.into()],
            ..Self::default()
        }
    }

    /// One skip.
    pub(crate) fn skip(name: &str, reason: &str) -> Self {
        Self {
            skipped: BTreeSet::from([format!("{name}: {reason}")]),
            ..Self::default()
        }
    }

    /// One pass.
    pub(crate) fn pass() -> Self {
        Self {
            passed: 1,
            ..Self::default()
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed.len(),
            self.skipped.len()
        )
    }
}

/// Reads a test runner's lines one by one.
///
/// A test says that it cannot run here by printing `SKIPPED name: reason` and returning; the
/// runner counts it as passed, this does not.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    tally: Tally,
    /// nextest speaks: lines of the inner runner are output of its tests, and would count twice.
    nextest: bool,
    /// Inside the output of a test that passed.
    quiet: bool,
    /// The test whose output this is said already that it was skipped.
    said: bool,
}

impl Reader {
    /// Takes one line; true when it is worth showing.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        let text = line.trim_start();
        if text.starts_with("SKIPPED:") {
            self.fail("a skip that does not say `SKIPPED name: reason`");
            return true;
        }
        if let Some(skip) = text.strip_prefix("SKIPPED ") {
            if skip.contains(": ") && self.tally.skipped.insert(skip.to_owned()) && !self.said {
                self.said = true;
                self.tally.passed = self.tally.passed.saturating_sub(1);
            }
            return true;
        }
        if let Some(name) = nextest(text, &["PASS"]) {
            self.nextest = true;
            self.tally.passed += 1;
            self.said = false;
            // Its output follows; only skips in it matter.
            self.quiet = true;
            return !name.is_empty();
        }
        if let Some(name) = nextest(
            text,
            &[
                "FAIL",
                "TIMEOUT",
                "ABORT",
                "SIGABRT",
                "SIGSEGV",
                "SIGKILL",
                "LEAK-FAIL",
            ],
        ) {
            self.nextest = true;
            self.fail(name);
            self.quiet = false;
            return true;
        }
        if text.starts_with("Summary [")
            || text.starts_with("error")
            || text.starts_with("Running ")
        {
            self.quiet = false;
        }
        if let Some(rest) = text.strip_prefix("test result: ") {
            self.quiet = false;
            self.said = false;
            let _ = rest;
            return true;
        }
        if let Some(name) = text.strip_prefix("test ").filter(|_| !self.nextest) {
            if name.ends_with(" ... ok") || name.ends_with(" - should panic ... ok") {
                self.tally.passed += 1;
            } else if let Some(name) = name.strip_suffix(" ... FAILED") {
                self.fail(name);
            } else if let Some((name, reason)) = name.split_once(" ... ignored") {
                let reason = reason.trim_start_matches([',', ' ']);
                let reason = if reason.is_empty() {
                    "marked #[ignore]"
                } else {
                    reason
                };
                self.tally.skipped.insert(format!("{name}: {reason}"));
            }
            return !self.quiet;
        }
        match text {
            "successes:" => self.quiet = true,
            "failures:" => self.quiet = false,
            _ if text.starts_with("---- ") => self.said = false,
            _ => {}
        }
        !self.quiet
    }

    /// The count; a run that failed without naming a test counts as one failure of `stage`.
    pub(crate) fn finish(mut self, stage: &str, success: bool) -> Tally {
        if !success && self.tally.failed.is_empty() {
            self.tally.failed.push(stage.to_owned());
        }
        self.tally
    }

    fn fail(&mut self, name: &str) {
        let name = name.to_owned();
        // nextest names a failed test again in its summary.
        if !self.tally.failed.contains(&name) {
            self.tally.failed.push(name);
        }
    }
}

/// The test of a line such as `PASS [   0.010s] (1/9) artel-store profile::opens`.
fn nextest<'a>(text: &'a str, states: &[&str]) -> Option<&'a str> {
    let (state, rest) = text.split_once(" [")?;
    let state = state.trim_end();
    // A second try is told as `TRY 2 PASS`; what counts is the last word.
    if !states.contains(&state.rsplit(' ').next()?) {
        return None;
    }
    let (_, name) = rest.split_once(']')?;
    let name = name.trim_start();
    match name.strip_prefix('(').and_then(|name| name.split_once(')')) {
        Some((place, name)) if place.contains('/') => Some(name.trim_start()),
        _ => Some(name),
    }
}

/// Reads vitest's last words: ` Tests  3 failed | 40 passed | 2 skipped (45)`.
pub(crate) fn vitest(line: &str) -> Option<(usize, usize, usize)> {
    let rest = line.trim_start().strip_prefix("Tests ")?;
    let counts = rest.split('(').next()?;
    let mut found = (0, 0, 0);
    for part in counts.split('|') {
        let (number, word) = part.trim().split_once(' ')?;
        let number = number.parse().ok()?;
        match word.trim() {
            "passed" => found.0 = number,
            "failed" => found.1 = number,
            "skipped" | "todo" => found.2 += number,
            _ => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, success: bool) -> (Tally, String) {
        let mut reader = Reader::default();
        let mut shown = String::new();
        for line in text.lines() {
            if reader.line(line) {
                shown.push_str(line);
                shown.push('\n');
            }
        }
        (reader.finish("stage", success), shown)
    }

    #[test]
    fn nextest_lines_are_counted_and_the_output_of_passed_tests_is_hidden() {
        let (tally, shown) = read(
            "    Starting 4 tests across 2 binaries\n\
             \x20       PASS [   0.010s] (1/4) artel-store profile::opens\n\
             \x20 stdout ───\n\n    running 1 test\n    chatter\n    test profile::opens ... ok\n\n    \
             test result: ok. 1 passed; 0 failed\n\n\
             \x20       PASS [   0.010s] (2/4) artel-compute gpu::equal\n\
             \x20 stderr ───\n    SKIPPED gpu::equal: no adapter\n\
             \x20       FAIL [   1.010s] (3/4) artel-sync meets\n\
             \x20 stderr ───\n    thread panicked\n\
             \x20    TIMEOUT [  60.010s] (4/4) artel-sync waits\n\
             \x20    Summary [   1.0s] 4 tests run: 2 passed, 1 failed, 1 timed out, 0 skipped\n\
             \x20       FAIL [   1.010s] (3/4) artel-sync meets\n",
            false,
        );
        assert_eq!(tally.passed, 1);
        assert_eq!(tally.failed, ["artel-sync meets", "artel-sync waits"]);
        assert_eq!(
            tally.skipped.iter().map(String::as_str).collect::<Vec<_>>(),
            ["gpu::equal: no adapter"]
        );
        assert!(!shown.contains("chatter"), "{shown}");
        assert!(shown.contains("thread panicked"), "{shown}");
    }

    #[test]
    fn cargo_test_lines_are_counted() {
        let (tally, shown) = read(
            "running 4 tests\ntest a ... ok\ntest b ... ok\ntest c ... ignored, needs a camera\ntest d ... FAILED\n\n\
             successes:\n\n---- b stdout ----\nSKIPPED b: needs root\nchatter\n\nfailures:\n\n---- d stdout ----\nboom\n\n\
             test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n",
            false,
        );
        assert_eq!(tally.passed, 1);
        assert_eq!(tally.failed, ["d"]);
        assert_eq!(tally.skipped.len(), 2);
        assert!(shown.contains("boom"));
        assert!(!shown.contains("chatter"));
    }

    #[test]
    fn a_run_that_does_not_compile_is_one_failure() {
        let (tally, _) = read("error[E0308]: mismatched types\n", false);
        assert_eq!(tally.failed, ["stage"]);
    }

    #[test]
    fn a_test_that_skips_two_parts_is_taken_from_the_passed_once() {
        let (tally, _) = read(
            "PASS [ 0.1s] (1/2) x a\nPASS [ 0.1s] (2/2) x b\nSKIPPED b one: reason\nSKIPPED b two: reason\n",
            true,
        );
        assert_eq!((tally.passed, tally.skipped.len()), (1, 2));
    }

    #[test]
    fn vitest_totals_are_read() {
        for (line, expected) in [
            ("      Tests  45 passed (45)", Some((45, 0, 0))),
            (
                " Tests  3 failed | 40 passed | 2 skipped (45)",
                Some((40, 3, 2)),
            ),
            (" Test Files  2 passed (2)", None),
        ] {
            assert_eq!(vitest(line), expected, "{line}");
        }
    }
}
