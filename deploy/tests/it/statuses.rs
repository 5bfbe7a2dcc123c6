//! Every status that a stack can be found in has a defined answer, for deploy, terminate and wait.

use std::fmt::Write;

use deploy::status::StackStatus;

use crate::{
    fake::{Fake, Step},
    support::setup,
};

/// How a running operation ends by itself.
fn rest(status: StackStatus) -> Vec<Step> {
    use StackStatus as S;
    let end = match status {
        S::CreateInProgress => "CREATE_COMPLETE",
        S::RollbackInProgress => "ROLLBACK_COMPLETE",
        S::DeleteInProgress => "DELETE_COMPLETE",
        S::UpdateInProgress | S::UpdateCompleteCleanupInProgress => "UPDATE_COMPLETE",
        S::UpdateRollbackInProgress | S::UpdateRollbackCompleteCleanupInProgress => {
            "UPDATE_ROLLBACK_COMPLETE"
        }
        S::ImportInProgress => "IMPORT_COMPLETE",
        S::ImportRollbackInProgress => "IMPORT_ROLLBACK_COMPLETE",
        _ => return Vec::new(),
    };
    vec![Step::Stack(status.name(), None), Step::Stack(end, None)]
}

fn found_in(status: StackStatus) -> Fake {
    let fake = Fake::default();
    if status == StackStatus::DeleteComplete {
        return fake;
    }
    fake.with_stack("app-vpc", status.name()).with_pending("app-vpc", &rest(status))
}

#[tokio::test(start_paused = true)]
async fn deploy_has_an_answer_to_every_status() {
    let mut table = String::new();
    for status in StackStatus::ALL {
        let (setup, fake) = (setup().only(&["vpc"]), found_in(*status));
        let (outcome, text) = setup.deploy(&fake).await;
        assert_eq!(outcome.exit_code(), 0, "{status}: {text}");
        writeln!(table, "{status}: {} => {}", fake.calls().join(", "), fake.status("app-vpc").unwrap())
            .unwrap();
    }
    insta::assert_snapshot!("deploy_by_status", table);
}

#[tokio::test(start_paused = true)]
async fn terminate_has_an_answer_to_every_status() {
    let mut table = String::new();
    for status in StackStatus::ALL {
        let (setup, fake) = (setup().only(&["vpc"]), found_in(*status));
        let (outcome, text) = setup.terminate(&fake).await;
        assert_eq!(outcome.exit_code(), 0, "{status}: {text}");
        assert_eq!(fake.status("app-vpc"), None, "{status}: {text}");
        writeln!(table, "{status}: {}", fake.calls().join(", ")).unwrap();
    }
    insta::assert_snapshot!("terminate_by_status", table);
}

#[tokio::test(start_paused = true)]
async fn wait_ends_with_the_operation_and_fails_with_it() {
    let mut table = String::new();
    for status in StackStatus::ALL {
        let (setup, fake) = (setup().only(&["vpc"]), found_in(*status));
        let (outcome, _) = setup.run(&fake, async |engine| engine.wait().await).await;
        assert_eq!(fake.calls(), Vec::<String>::new(), "waiting changes nothing");
        writeln!(table, "{status}: exit code {}", outcome.exit_code()).unwrap();
    }
    insta::assert_snapshot!("wait_by_status", table);
}
