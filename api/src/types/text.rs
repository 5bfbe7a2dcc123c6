//! Text that is indented as it is written.

/// Lines so far, and how deep the next one stands.
#[derive(Debug)]
pub(super) struct Text {
    lines: String,
    depth: usize,
    step: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self::indented_by(2)
    }
}

impl Text {
    /// Each step is so many spaces.
    pub(super) fn indented_by(step: usize) -> Self {
        Self { lines: String::new(), depth: 0, step }
    }

    /// Adds lines as they are.
    pub(super) fn lines(&mut self, lines: &str) {
        lines.lines().for_each(|it| self.line(it));
    }

    /// Adds a line; an empty one is not indented.
    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        if !line.is_empty() {
            self.lines.extend(std::iter::repeat_n(' ', self.depth * self.step));
        }
        self.lines.push_str(line);
        self.lines.push('\n');
    }

    /// Adds `open`, what `inner` adds one step deeper, and `close`.
    pub(super) fn block(&mut self, open: impl AsRef<str>, close: &str, inner: impl FnOnce(&mut Self)) {
        self.nested(open, inner);
        self.line(close);
    }

    /// Adds `open`, and what `inner` adds one step deeper.
    pub(super) fn nested(&mut self, open: impl AsRef<str>, inner: impl FnOnce(&mut Self)) {
        self.line(open);
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.lines
    }
}

/// A string in double quotes, as JSON, TypeScript and Python read it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
