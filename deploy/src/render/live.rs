//! A terminal that is redrawn in place: a line per running stack, everything lasting above it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Pick, nothing, text};
use crate::{
    event::{Event, Sink},
    failure::STACK,
    status::Category,
};

/// Draws on stderr.
pub struct Live {
    bars: MultiProgress,
    stacks: Mutex<BTreeMap<String, Running>>,
    /// What happened while somebody else had the terminal.
    held: Mutex<Option<Vec<Event>>>,
    data: Pick,
}

/// A stack on which CloudFormation works.
struct Running {
    bar: ProgressBar,
    /// Resources that will take part, when known.
    n_resources: Option<usize>,
    busy: BTreeSet<String>,
    finished: BTreeSet<String>,
}

impl Live {
    /// Draws on the terminal of the process.
    pub fn new() -> Self {
        Self { bars: MultiProgress::new(), stacks: Mutex::default(), held: Mutex::default(), data: nothing }
    }

    /// Writes what is picked to stdout: it is what the user asked for.
    #[must_use]
    pub fn with_data(self, data: Pick) -> Self {
        Self { data, ..self }
    }

    /// Runs something that needs the terminal for itself, such as a prompt. What is told meanwhile is shown afterwards, so
    /// that nobody has to wait for an answer to be given.
    pub fn suspend<T>(&self, f: impl FnOnce() -> T) -> T {
        *self.held() = Some(Vec::new());
        let result = self.bars.suspend(f);
        let mut held = self.held();
        for event in held.take().unwrap_or_default() {
            self.show(&event);
        }
        result
    }

    fn print(&self, event: &Event) {
        let lines = text::lines(event).picked((self.data)(event));
        self.bars.suspend(|| {
            let mut streams =
                super::Streams { data: Box::new(anstream::stdout()), messages: Box::new(anstream::stderr()) };
            streams.write(&lines.data, &lines.messages);
        });
    }

    fn show(&self, event: &Event) {
        match event {
            Event::Started { stack, operation, n_resources, .. } => {
                self.print(event);
                self.begin(stack, operation, *n_resources);
            }
            Event::Resource { stack, logical_id, kind, status, reason, .. }
                if self.absorb(stack, logical_id, kind, status, reason.as_deref()) => {}
            Event::Finished { stack, .. } | Event::Failed { stack, .. } => {
                self.end(stack);
                self.print(event);
            }
            _ => self.print(event),
        }
    }

    fn begin(&self, stack: &str, operation: &str, n_resources: Option<usize>) {
        let style = ProgressStyle::with_template("{spinner} {prefix:.bold} {elapsed} {wide_msg}");
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(format!("{stack} {operation}"));
        bar.enable_steady_tick(Duration::from_millis(120));
        let running = Running { bar, n_resources, busy: BTreeSet::new(), finished: BTreeSet::new() };
        self.stacks().insert(stack.to_owned(), running);
    }

    fn end(&self, stack: &str) {
        if let Some(running) = self.stacks().remove(stack) {
            running.bar.finish_and_clear();
        }
    }

    /// Takes a resource into the line of its stack; false when the event deserves a line of its own.
    fn absorb(&self, stack: &str, logical_id: &str, kind: &str, status: &str, reason: Option<&str>) -> bool {
        let mut stacks = self.stacks();
        let Some(running) = stacks.get_mut(stack) else { return false };
        match text::resource_category(status) {
            Category::Failed => return false,
            // Why a stack goes back stands nowhere else.
            _ if kind == STACK && status.contains("ROLLBACK") && reason.is_some() => return false,
            // Of the stack itself the line tells already.
            _ if kind == STACK => {}
            Category::Working => drop(running.busy.insert(logical_id.to_owned())),
            _ => {
                running.busy.remove(logical_id);
                running.finished.insert(logical_id.to_owned());
            }
        }
        running.bar.set_message(running.message());
        true
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Vec<Event>>> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn stacks(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Running>> {
        self.stacks.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Running {
    fn message(&self) -> String {
        let of = self.n_resources.map(|it| format!("/{it}")).unwrap_or_default();
        let busy: Vec<&str> = self.busy.iter().map(String::as_str).collect();
        format!("{}{of} {}", self.finished.len(), busy.join(" "))
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for Live {
    fn take(&self, event: Event) {
        let mut held = self.held();
        match held.as_mut() {
            Some(waiting) => waiting.push(event),
            None => self.show(&event),
        }
    }
}
