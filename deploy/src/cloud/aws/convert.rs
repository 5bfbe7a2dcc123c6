//! Turns the SDK's types into the engine's. A field that AWS always sends and did not is an empty text, not a panic.

use std::time::SystemTime;

use aws_sdk_cloudformation::{
    operation::describe_change_set::DescribeChangeSetOutput,
    types::{
        Change as SdkChange, ChangeAction as SdkAction, ChangeSetStatus, EventType, ExecutionStatus,
        OperationEvent, PropertyDifference, Replacement as SdkReplacement, RequiresRecreation,
        ResourceAttribute, ResourceChangeDetail, ResourceStatus, Stack, StackEvent as SdkEvent,
        StackResourceDrift, StackResourceDriftStatus, StackStatus as SdkStatus,
    },
};

use crate::{
    cloud::{
        Change, ChangeAction, ChangeSetState, CloudError, CloudResult, Drift, Issue, PropertyChange,
        Replacement, StackEvent, StackInfo, StackOutput,
    },
    status::StackStatus,
};

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn time(value: Option<&aws_sdk_cloudformation::primitives::DateTime>) -> Option<SystemTime> {
    value.and_then(|it| SystemTime::try_from(*it).ok())
}

pub(super) fn stack(stack: &Stack) -> CloudResult<StackInfo> {
    let name = text(stack.stack_name());
    let status_name = stack.stack_status().map(SdkStatus::as_str).unwrap_or_default();
    let status = StackStatus::from_name(status_name).ok_or_else(|| {
        CloudError::Refused(format!(
            "{name} has the status \"{status_name}\", which this version does not know; update the tool"
        ))
    })?;
    Ok(StackInfo {
        id: stack.stack_id().map_or_else(|| name.clone(), str::to_owned),
        name,
        status,
        status_reason: stack.stack_status_reason().map(str::to_owned),
        parameters: stack
            .parameters()
            .iter()
            .map(|it| (text(it.parameter_key()), text(it.parameter_value())))
            .collect(),
        outputs: stack
            .outputs()
            .iter()
            .map(|it| StackOutput {
                key: text(it.output_key()),
                value: text(it.output_value()),
                description: it.description().map(str::to_owned),
                export: it.export_name().map(str::to_owned),
            })
            .collect(),
        tags: stack.tags().iter().map(|it| (text(it.key()), text(it.value()))).collect(),
        termination_protection: stack.enable_termination_protection().unwrap_or(false),
        created: time(stack.creation_time()),
        updated: time(stack.last_updated_time()),
        parent_id: stack.parent_id().map(str::to_owned),
    })
}

pub(super) fn event(event: &SdkEvent) -> StackEvent {
    StackEvent {
        id: text(event.event_id()),
        time: time(event.timestamp()).unwrap_or(SystemTime::UNIX_EPOCH),
        logical_id: text(event.logical_resource_id()),
        physical_id: text(event.physical_resource_id()),
        kind: text(event.resource_type()),
        status: text(event.resource_status().map(ResourceStatus::as_str)),
        reason: event.resource_status_reason().filter(|it| !it.is_empty()).map(str::to_owned),
        token: event.client_request_token().map(str::to_owned),
    }
}

/// What an event says that failed; nothing for an event of the whole stack, which only says that something did.
pub(super) fn issue(event: &OperationEvent) -> Option<Issue> {
    let (check, reason) = match event.event_type() {
        Some(EventType::ValidationError) => (event.validation_name(), event.validation_status_reason()),
        Some(EventType::HookInvocationError) => (event.hook_type(), event.hook_status_reason()),
        _ => (event.resource_status().map(ResourceStatus::as_str), event.resource_status_reason()),
    };
    let is_stack = event.physical_resource_id().is_some() && event.physical_resource_id() == event.stack_id();
    let reason = reason.filter(|it| !it.is_empty() && !is_stack)?;
    Some(Issue {
        logical_id: text(event.logical_resource_id()),
        kind: text(event.resource_type()),
        check: text(check),
        path: event.validation_path().map(str::to_owned),
        reason: reason.to_owned(),
    })
}

/// Words with which CloudFormation says that there is nothing to change.
const NOTHING: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

pub(super) fn change_set_state(answer: &DescribeChangeSetOutput) -> ChangeSetState {
    let reason = text(answer.status_reason());
    match answer.status() {
        Some(ChangeSetStatus::CreateComplete) => match answer.execution_status() {
            Some(ExecutionStatus::Obsolete) => {
                ChangeSetState::Stale("the stack was changed after it was prepared".into())
            }
            Some(ExecutionStatus::ExecuteInProgress) => ChangeSetState::Stale("it is being executed".into()),
            Some(ExecutionStatus::ExecuteComplete) => ChangeSetState::Stale("it was executed".into()),
            Some(ExecutionStatus::ExecuteFailed) => {
                ChangeSetState::Stale("it was executed, and that failed".into())
            }
            _ => ChangeSetState::Ready,
        },
        Some(ChangeSetStatus::Failed) if NOTHING.iter().any(|it| reason.contains(it)) => {
            ChangeSetState::Empty
        }
        Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => ChangeSetState::Pending,
        _ => {
            ChangeSetState::Refused(if reason.is_empty() { "AWS gives no reason".to_owned() } else { reason })
        }
    }
}

pub(super) fn change(change: &SdkChange) -> Option<Change> {
    let resource = change.resource_change()?;
    Some(Change {
        action: match resource.action() {
            Some(SdkAction::Add) => ChangeAction::Add,
            Some(SdkAction::Remove) => ChangeAction::Remove,
            Some(SdkAction::Import) => ChangeAction::Import,
            Some(SdkAction::Dynamic) => ChangeAction::Dynamic,
            _ => ChangeAction::Modify,
        },
        logical_id: text(resource.logical_resource_id()),
        physical_id: resource.physical_resource_id().map(str::to_owned),
        kind: text(resource.resource_type()),
        replacement: match resource.replacement() {
            Some(SdkReplacement::True) => Replacement::Yes,
            Some(SdkReplacement::Conditional) => Replacement::Conditional,
            _ => Replacement::No,
        },
        policy: resource.policy_action().map(|it| it.as_str().to_owned()),
        properties: properties(resource.details()),
    })
}

/// One line per property: CloudFormation lists a property once for each cause of its change.
fn properties(details: &[ResourceChangeDetail]) -> Vec<PropertyChange> {
    let mut found: Vec<PropertyChange> = Vec::new();
    for target in details.iter().filter_map(ResourceChangeDetail::target) {
        let path = match (target.path(), target.name()) {
            (Some(path), _) => path.trim_start_matches('/').replace('/', "."),
            (None, Some(name)) => name.to_owned(),
            (None, None) => text(target.attribute().map(ResourceAttribute::as_str)),
        };
        let replaces = match target.requires_recreation() {
            Some(RequiresRecreation::Always) => Replacement::Yes,
            Some(RequiresRecreation::Conditionally) => Replacement::Conditional,
            _ => Replacement::No,
        };
        if !found.iter().any(|it| it.path == path) {
            let (before, after) =
                (target.before_value().map(str::to_owned), target.after_value().map(str::to_owned));
            found.push(PropertyChange { path, before, after, replaces });
        }
    }
    found
}

pub(super) fn drift(drift: &StackResourceDrift) -> Drift {
    Drift {
        logical_id: text(drift.logical_resource_id()),
        kind: text(drift.resource_type()),
        is_deleted: drift.stack_resource_drift_status() == Some(&StackResourceDriftStatus::Deleted),
        properties: drift.property_differences().iter().map(difference).collect(),
    }
}

fn difference(it: &PropertyDifference) -> PropertyChange {
    PropertyChange {
        path: text(it.property_path()).trim_start_matches('/').replace('/', "."),
        before: it.expected_value().map(str::to_owned),
        after: it.actual_value().map(str::to_owned),
        replaces: Replacement::No,
    }
}
