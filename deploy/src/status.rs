//! Every status that a stack can have: what it means and what this tool does about it.
//!
//! One pure table. The engine never compares status names; it asks here, so that no status is forgotten in a branch.

use std::fmt;

/// What kind of situation a status is, for colours and symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Something is going on.
    Working,
    /// As wished.
    Good,
    /// Not as wished, but the stack is usable.
    Undone,
    /// Broken; needs an action.
    Failed,
    /// There is no stack.
    Gone,
}

/// What `deploy` does first when it finds a stack in a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnDeploy {
    /// Make the stack.
    Create,
    /// Change the stack.
    Update,
    /// Wait until the running operation ends, then look again.
    Wait,
    /// Delete what is left of a stack that never worked, then make it.
    DeleteThenCreate,
    /// Let CloudFormation finish the rollback that got stuck, then change the stack.
    ContinueRollback,
}

/// What `terminate` does first when it finds a stack in a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnTerminate {
    /// Nothing is there.
    Nothing,
    /// Delete the stack.
    Delete,
    /// Wait until the running operation ends, then look again.
    Wait,
    /// A deletion is running already: follow it.
    Follow,
}

/// What the user asked CloudFormation for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new stack.
    Create,
    /// A change of a stack.
    Update,
    /// Existing resources that a stack takes over.
    Import,
    /// The end of a stack.
    Delete,
    /// The rest of a rollback.
    ContinueRollback,
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Not over yet.
    Running,
    /// Over, as asked.
    Done,
    /// Over, and not as asked.
    Failed,
}

macro_rules! statuses {
    ($($variant:ident $name:literal $category:ident $deploy:ident $terminate:ident $meaning:literal;)*) => {
        /// The status of a stack.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum StackStatus {
            $(#[doc = $meaning] $variant,)*
        }

        impl StackStatus {
            /// Every status, in the order of CloudFormation's documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What kind of situation it is.
            pub fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)* }
            }

            /// What `deploy` does first.
            pub fn on_deploy(self) -> OnDeploy {
                match self { $(Self::$variant => OnDeploy::$deploy,)* }
            }

            /// What `terminate` does first.
            pub fn on_terminate(self) -> OnTerminate {
                match self { $(Self::$variant => OnTerminate::$terminate,)* }
            }

            /// What it means, in a sentence for a user.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

statuses! {
    CreateInProgress "CREATE_IN_PROGRESS" Working Wait Wait
        "The stack is being made.";
    CreateFailed "CREATE_FAILED" Failed Update Delete
        "Making the stack failed and what was made was kept; the next deployment goes on from there.";
    CreateComplete "CREATE_COMPLETE" Good Update Delete
        "The stack was made.";
    RollbackInProgress "ROLLBACK_IN_PROGRESS" Working Wait Wait
        "Making the stack failed; what was made is being removed.";
    RollbackFailed "ROLLBACK_FAILED" Failed DeleteThenCreate Delete
        "Making the stack failed, and so did removing what was made; the stack can only be deleted.";
    RollbackComplete "ROLLBACK_COMPLETE" Failed DeleteThenCreate Delete
        "Making the stack failed and everything was removed; the empty stack can only be deleted.";
    DeleteInProgress "DELETE_IN_PROGRESS" Working Wait Follow
        "The stack is being deleted.";
    DeleteFailed "DELETE_FAILED" Failed DeleteThenCreate Delete
        "Some resources of the stack could not be deleted; deleting it again tries those that are left.";
    DeleteComplete "DELETE_COMPLETE" Gone Create Nothing
        "The stack is deleted.";
    UpdateInProgress "UPDATE_IN_PROGRESS" Working Wait Wait
        "The stack is being changed.";
    UpdateCompleteCleanupInProgress "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" Working Wait Wait
        "The stack was changed; replaced resources are being removed.";
    UpdateComplete "UPDATE_COMPLETE" Good Update Delete
        "The stack was changed.";
    UpdateFailed "UPDATE_FAILED" Failed Update Delete
        "Changing the stack failed and what was changed was kept; the next deployment goes on from there.";
    UpdateRollbackInProgress "UPDATE_ROLLBACK_IN_PROGRESS" Working Wait Wait
        "Changing the stack failed; it goes back to what it was.";
    UpdateRollbackFailed "UPDATE_ROLLBACK_FAILED" Failed ContinueRollback Delete
        "Changing the stack failed, and so did going back; the rollback has to be continued before anything else.";
    UpdateRollbackCompleteCleanupInProgress "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" Working Wait Wait
        "Changing the stack failed; it is back to what it was and new resources are being removed.";
    UpdateRollbackComplete "UPDATE_ROLLBACK_COMPLETE" Undone Update Delete
        "Changing the stack failed; it is back to what it was.";
    ReviewInProgress "REVIEW_IN_PROGRESS" Gone Create Delete
        "A change set for a new stack was made and not executed; the stack is empty.";
    ImportInProgress "IMPORT_IN_PROGRESS" Working Wait Wait
        "Resources are being imported into the stack.";
    ImportComplete "IMPORT_COMPLETE" Good Update Delete
        "Resources were imported into the stack.";
    ImportRollbackInProgress "IMPORT_ROLLBACK_IN_PROGRESS" Working Wait Wait
        "Importing resources failed; the stack goes back to what it was.";
    ImportRollbackFailed "IMPORT_ROLLBACK_FAILED" Failed ContinueRollback Delete
        "Importing resources failed, and so did going back; the rollback has to be continued before anything else.";
    ImportRollbackComplete "IMPORT_ROLLBACK_COMPLETE" Undone Update Delete
        "Importing resources failed; the stack is back to what it was.";
}

impl StackStatus {
    /// The status with a name of the API.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// Whether CloudFormation is at work.
    pub fn is_working(self) -> bool {
        self.category() == Category::Working
    }

    /// Whether there is a stack whose resources can be used, possibly not in the wished version.
    pub fn is_usable(self) -> bool {
        matches!(self.category(), Category::Good | Category::Undone)
    }

    /// How an operation stands that has brought the stack into this status.
    ///
    /// A status that was there before the operation started must not be given: the caller waits until CloudFormation has
    /// taken the request.
    pub fn progress(self, operation: Operation) -> Progress {
        if self.is_working() {
            return Progress::Running;
        }
        let done = match operation {
            Operation::Create | Operation::Update => self.category() == Category::Good,
            Operation::Import => self == Self::ImportComplete,
            Operation::Delete => self == Self::DeleteComplete,
            Operation::ContinueRollback => self.is_usable(),
        };
        if done { Progress::Done } else { Progress::Failed }
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for StackStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that the API documents for a stack
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Stack.html>).
    const DOCUMENTED: usize = 23;

    #[test]
    fn every_documented_status_is_in_the_table_once() {
        assert_eq!(StackStatus::ALL.len(), DOCUMENTED);
        for status in StackStatus::ALL {
            assert_eq!(StackStatus::from_name(status.name()), Some(*status));
            assert!(status.meaning().ends_with('.'));
        }
        assert_eq!(StackStatus::from_name("NOT_A_STATUS"), None);
    }

    #[test]
    fn names_and_categories_agree() {
        for status in StackStatus::ALL {
            let name = status.name();
            assert_eq!(
                status.is_working(),
                name.ends_with("_IN_PROGRESS") && name != "REVIEW_IN_PROGRESS",
                "{name}"
            );
            assert_eq!(
                status.category() == Category::Failed,
                name.ends_with("_FAILED") || name == "ROLLBACK_COMPLETE",
                "{name}"
            );
        }
    }

    #[test]
    fn a_running_operation_is_waited_for_by_everyone() {
        for status in StackStatus::ALL.iter().filter(|it| it.is_working()) {
            assert_eq!(status.on_deploy(), OnDeploy::Wait, "{status}");
            assert!(matches!(status.on_terminate(), OnTerminate::Wait | OnTerminate::Follow), "{status}");
        }
    }

    #[test]
    fn an_operation_ends_as_its_status_says() {
        use Operation::{ContinueRollback, Create, Delete, Update};
        use Progress::{Done, Failed, Running};
        let cases = [
            ("CREATE_IN_PROGRESS", Create, Running),
            ("CREATE_COMPLETE", Create, Done),
            ("CREATE_FAILED", Create, Failed),
            ("ROLLBACK_IN_PROGRESS", Create, Running),
            ("ROLLBACK_COMPLETE", Create, Failed),
            ("ROLLBACK_FAILED", Create, Failed),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Update, Running),
            ("UPDATE_COMPLETE", Update, Done),
            ("UPDATE_ROLLBACK_COMPLETE", Update, Failed),
            ("UPDATE_ROLLBACK_FAILED", Update, Failed),
            ("DELETE_COMPLETE", Delete, Done),
            ("DELETE_FAILED", Delete, Failed),
            // The deletion was cancelled: another stack imports an export.
            ("UPDATE_COMPLETE", Delete, Failed),
            ("UPDATE_ROLLBACK_COMPLETE", ContinueRollback, Done),
            ("UPDATE_ROLLBACK_FAILED", ContinueRollback, Failed),
            // Somebody deleted the stack meanwhile.
            ("DELETE_COMPLETE", Update, Failed),
        ];
        for (name, operation, expected) in cases {
            assert_eq!(
                StackStatus::from_name(name).unwrap().progress(operation),
                expected,
                "{name} {operation:?}"
            );
        }
    }

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cloudformation.md");
    const BEGIN: &str = "<!-- statuses: written by `cargo xtask codegen` from deploy/src/status.rs -->\n";
    const END: &str = "<!-- end of statuses -->\n";

    fn table() -> String {
        let deploy = |it: OnDeploy| match it {
            OnDeploy::Create => "makes the stack",
            OnDeploy::Update => "changes the stack",
            OnDeploy::Wait => "waits, then looks again",
            OnDeploy::DeleteThenCreate => "deletes what is left, then makes the stack",
            OnDeploy::ContinueRollback => "continues the rollback, then changes the stack",
        };
        let terminate = |it: OnTerminate| match it {
            OnTerminate::Nothing => "nothing to do",
            OnTerminate::Delete => "deletes",
            OnTerminate::Wait => "waits, then deletes",
            OnTerminate::Follow => "follows the deletion",
        };
        let rows = StackStatus::ALL.iter().map(|it| {
            let (name, meaning) = (it.name(), it.meaning());
            format!(
                "| `{name}` | {meaning} | {} | {} |\n",
                deploy(it.on_deploy()),
                terminate(it.on_terminate())
            )
        });
        format!(
            "{BEGIN}| status | what it means | `deploy` | `terminate` |\n|---|---|---|---|\n{}{END}",
            rows.collect::<String>()
        )
    }

    #[test]
    fn the_table_in_the_reference_is_current() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let current = format!("{before}{}{after}", table());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(PAGE, &current).unwrap();
        } else {
            assert!(
                page == current,
                "docs/cloudformation.md is out of date: write it anew with `cargo xtask codegen`"
            );
        }
    }
}
