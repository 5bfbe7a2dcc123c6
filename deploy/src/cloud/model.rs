//! What CloudFormation says, as plain data.

use std::{collections::BTreeMap, fmt, time::SystemTime};

use serde::Serialize;

use crate::status::StackStatus;

/// A stack as CloudFormation describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct StackInfo {
    /// Name.
    pub name: String,
    /// ARN; stays the same for the life of the stack and finds it after its deletion.
    pub id: String,
    /// Status.
    pub status: StackStatus,
    /// Why it has this status, when CloudFormation says.
    pub status_reason: Option<String>,
    /// Parameters with their values; CloudFormation gives asterisks for a hidden one.
    pub parameters: BTreeMap<String, String>,
    /// Outputs.
    pub outputs: Vec<StackOutput>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Whether CloudFormation refuses to delete it.
    pub termination_protection: bool,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// When it was changed last.
    pub updated: Option<SystemTime>,
    /// ARN of the stack that it is nested in.
    pub parent_id: Option<String>,
}

/// Who is asking, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// Account, twelve digits.
    pub account: String,
    /// Region.
    pub region: String,
    /// ARN of the user or of the role's session.
    pub identity: String,
}

/// From where events of a stack are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since<'a> {
    /// After a known event; from the first one without it.
    Event(Option<&'a str>),
    /// From the beginning of the last operation.
    LastOperation,
}

/// What a search for failed checks is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A change set, by its ARN.
    ChangeSet(&'a str),
    /// The last operation on a stack, by its ARN.
    Stack(&'a str),
}

/// A check, a hook or a step of an operation that failed, as `DescribeEvents` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Logical id of the resource.
    pub logical_id: String,
    /// Type of the resource.
    pub kind: String,
    /// What failed: name of the validation or of the hook, else the status of the resource.
    pub check: String,
    /// Where in the template, such as `/Resources/Bucket/Properties/BucketName`.
    pub path: Option<String>,
    /// AWS's words.
    pub reason: String,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackOutput {
    /// Logical id.
    pub key: String,
    /// Value.
    pub value: String,
    /// Description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Export name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
}

/// Something that happened to a resource of a stack, or to the stack itself.
#[derive(Debug, Clone, PartialEq)]
pub struct StackEvent {
    /// Unique id.
    pub id: String,
    /// When.
    pub time: SystemTime,
    /// Logical id; the stack's name for the stack itself.
    pub logical_id: String,
    /// Physical id; the stack's ARN for the stack itself.
    pub physical_id: String,
    /// Resource type; `AWS::CloudFormation::Stack` for the stack itself.
    pub kind: String,
    /// Status of the resource, such as `CREATE_FAILED`.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// Token that the request carried which caused it.
    pub token: Option<String>,
}

/// Type of the stack itself among its events.
pub const STACK: &str = "AWS::CloudFormation::Stack";

/// Statuses in which a stack begins an operation.
const BEGINNINGS: [&str; 4] =
    ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"];

/// Whether an event is of the stack itself: those of nested stacks look alike.
pub fn is_of_stack(event: &StackEvent, stack_id: &str) -> bool {
    event.kind == STACK && event.physical_id == stack_id
}

/// Whether an event begins an operation on a stack.
pub fn begins_operation(event: &StackEvent, stack_id: &str) -> bool {
    is_of_stack(event, stack_id) && BEGINNINGS.contains(&event.status.as_str())
}

/// The value that a parameter gets.
#[derive(Clone, PartialEq, Eq)]
pub enum ParameterValue {
    /// What the stack has now.
    Previous,
    /// A value; it may be a secret.
    Given(String),
}

impl fmt::Debug for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Previous => "Previous",
            Self::Given(_) => "Given(…)",
        })
    }
}

/// Where CloudFormation finds a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateSource {
    /// In the request.
    Body(String),
    /// In a bucket.
    Url(String),
}

/// What happens to a stack whose creation or change fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It goes back to what it was; a new stack is emptied.
    #[default]
    Rollback,
    /// It stays as it is, to be looked at and deployed again.
    Keep,
    /// A new stack is deleted; a changed one goes back.
    Delete,
}

/// A request for a change set.
#[derive(Debug, Clone)]
pub struct ChangeSetRequest {
    /// Stack.
    pub stack_name: String,
    /// Name of the change set.
    pub name: String,
    /// Whether the stack does not exist yet.
    pub is_new: bool,
    /// Template.
    pub template: TemplateSource,
    /// Parameters.
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Tags of the stack and everything in it.
    pub tags: BTreeMap<String, String>,
    /// Acknowledged capabilities.
    pub capabilities: Vec<&'static str>,
    /// Role that CloudFormation acts with.
    pub role_arn: Option<String>,
    /// What happens when a new stack fails.
    pub on_failure: OnFailure,
    /// How CloudFormation works; see [`Mode`].
    pub mode: Mode,
    /// Topics that hear of every event; nothing leaves those that the stack has.
    pub notifications: Option<Vec<String>>,
    /// Existing resources that the stack takes over. A change set with some does nothing else.
    pub imports: Vec<Import>,
}

/// A resource that exists outside of any stack, and its place in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Logical id that it gets.
    pub logical_id: String,
    /// Type.
    pub kind: String,
    /// What finds it, such as `BucketName`, with the value.
    pub identifier: BTreeMap<String, String>,
}

/// Ways to work that give something up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mode {
    /// Resources that were changed by hand go back to the template, too: by default CloudFormation compares with what it did
    /// last and leaves such changes.
    pub reverts_drift: bool,
    /// The operation ends when the configuration is applied, not when the resources are ready.
    pub is_express: bool,
}

/// A change set that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// ARN of the change set.
    pub id: String,
    /// ARN of the stack.
    pub stack_id: String,
}

/// A change set in the list of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChangeSet {
    /// ARN.
    pub id: String,
    /// Name.
    pub name: String,
}

/// A change set as CloudFormation describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// ARN.
    pub id: String,
    /// ARN of the stack.
    pub stack_id: String,
    /// Name of the stack.
    pub stack_name: String,
    /// Whether it can be executed.
    pub state: ChangeSetState,
    /// Changes.
    pub changes: Vec<Change>,
}

/// How a change set stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeSetState {
    /// CloudFormation is still comparing.
    Pending,
    /// Ready to be executed.
    Ready,
    /// There is nothing to change.
    Empty,
    /// CloudFormation refuses, and says why.
    Refused(String),
    /// It can no longer be executed: it was, or another one was; what it is now.
    Stale(String),
}

/// A change of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What happens to the resource.
    pub action: ChangeAction,
    /// Logical id.
    pub logical_id: String,
    /// Physical id, when it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_id: Option<String>,
    /// Resource type.
    pub kind: String,
    /// Whether it is replaced.
    pub replacement: Replacement,
    /// What happens to the old resource, by its policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Properties that change.
    pub properties: Vec<PropertyChange>,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeAction {
    /// It is made.
    Add,
    /// It is changed.
    Modify,
    /// It is deleted.
    Remove,
    /// It is brought into the stack.
    Import,
    /// Only known when the change set is executed.
    Dynamic,
}

/// Whether a change replaces a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Replacement {
    /// The resource stays.
    No,
    /// It depends on values that are not known yet.
    Conditional,
    /// A new resource takes its place.
    Yes,
}

/// A property that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PropertyChange {
    /// Where, such as `Properties.Size`.
    pub path: String,
    /// Old value, when CloudFormation gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// New value, when CloudFormation gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether this property makes CloudFormation replace the resource.
    pub replaces: Replacement,
}

/// What a comparison of a stack with reality found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct DriftReport {
    /// Differences, by logical id.
    pub drifts: Vec<Drift>,
    /// Logical ids that CloudFormation did not compare.
    pub unchecked: Vec<String>,
}

/// A difference between a stack and what is really there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Logical id.
    pub logical_id: String,
    /// Resource type.
    pub kind: String,
    /// Whether the resource is gone.
    pub is_deleted: bool,
    /// Properties that differ: expected before, actual after.
    pub properties: Vec<PropertyChange>,
}
