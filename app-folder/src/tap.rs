//! The Test Anything Protocol, as far as pgTAP speaks it. Pure.

/// What a file's assertions have said so far.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    n_planned: Option<usize>,
    n_run: usize,
    failures: Vec<String>,
    /// The latest line was a failure, whose explanation follows.
    is_explained: bool,
}

impl Tap {
    /// Takes a row; what is no line of the protocol is an ordinary result.
    pub(crate) fn take(&mut self, text: &str) {
        for line in text.lines() {
            self.line(line.trim_end());
        }
    }

    fn line(&mut self, line: &str) {
        if let Some(explanation) = line.strip_prefix('#') {
            if self.is_explained && !explanation.trim().is_empty() {
                self.failures.push(format!("  {}", explanation.trim()));
            }
            return;
        }
        if let Some(n) = line.strip_prefix("1..").and_then(|it| it.split(' ').next()?.parse().ok()) {
            self.n_planned = Some(n);
            return;
        }
        let (is_good, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (false, rest),
            None => match line.strip_prefix("ok ") {
                Some(rest) => (true, rest),
                None => return,
            },
        };
        let number = rest.split(' ').next().unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|it| it.is_ascii_digit()) {
            return;
        }
        self.n_run += 1;
        // What is marked as not done yet may fail.
        let is_todo = rest.contains("# TODO");
        self.is_explained = !is_good && !is_todo;
        if self.is_explained {
            self.failures.push(line.to_owned());
        }
    }

    /// What is wrong; with `is_complete`, also a plan that was not fulfilled.
    pub(crate) fn problems(self, is_complete: bool) -> Vec<String> {
        let mut problems = self.failures;
        if let (true, Some(planned)) = (is_complete, self.n_planned)
            && planned != self.n_run
        {
            problems.push(format!("{planned} assertions were planned, {} were run", self.n_run));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(lines: &[&str]) -> Vec<String> {
        let mut tap = Tap::default();
        lines.iter().for_each(|it| tap.take(it));
        tap.problems(true)
    }

    #[test]
    fn failures_and_their_explanations_are_taken() {
        let bad =
            "not ok 2 - one is two\n# Failed test 2: \"one is two\"\n#         have: 1\n#         want: 2";
        assert_eq!(
            problems(&["1..3", "ok 1 - fine", bad, "ok 3", "# Looks like you failed 1 test of 3"]),
            ["not ok 2 - one is two", "  Failed test 2: \"one is two\"", "  have: 1", "  want: 2"]
        );
    }

    #[test]
    fn a_plan_has_to_be_fulfilled_and_other_rows_say_nothing() {
        assert_eq!(problems(&["1..3", "ok 1 - fine"]), ["3 assertions were planned, 1 were run"]);
        assert_eq!(problems(&["ok", "not ok", "okay 1", "ok then", "42"]), Vec::<String>::new());
        assert_eq!(problems(&["1..1", "not ok 1 - later # TODO soon"]), Vec::<String>::new());
        assert!(Tap::default().problems(true).is_empty());
    }
}
