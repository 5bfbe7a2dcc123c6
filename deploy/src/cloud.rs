//! What the engine needs from CloudFormation, as one trait and plain data.
//!
//! Invariant: no type of an SDK crosses this boundary, so the engine can be tested against a scripted fake, and a change of
//! SDK touches `cloud/aws.rs` only.

pub mod aws;

use std::{collections::BTreeMap, fmt, future::Future, time::SystemTime};

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
    /// Whether CloudFormation refuses to delete it.
    pub termination_protection: bool,
    /// When it was made.
    pub created: Option<SystemTime>,
    /// When it was changed last.
    pub updated: Option<SystemTime>,
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
}

/// A change set as CloudFormation describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// ARN.
    pub id: String,
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

/// Why a call failed, sorted by what a caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// There is no such stack, change set or bucket; AWS's words.
    #[error("{0}")]
    NotFound(String),
    /// Too many requests; CloudFormation will take them later.
    #[error("AWS asks to slow down: {0}")]
    Throttled(String),
    /// AWS could not be reached or did not answer; the request may have been taken.
    #[error("AWS could not be reached: {0}")]
    Unreachable(String),
    /// Credentials are missing or no longer valid.
    #[error("AWS does not accept the credentials: {0}")]
    Credentials(String),
    /// The credentials are valid and do not allow this.
    #[error("AWS does not allow this: {0}")]
    Denied(String),
    /// The request makes no sense to AWS, now or ever.
    #[error("AWS refuses: {0}")]
    Refused(String),
}

impl CloudError {
    /// Whether the same call may work in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unreachable(_))
    }
}

/// The result of a call.
pub type CloudResult<T> = Result<T, CloudError>;

/// CloudFormation, as far as the engine uses it. Calls do not retry by themselves more than an SDK does.
pub trait Cloud: Sync {
    /// The newest stack with a name or ARN; by name only one that is not deleted.
    fn stack(&self, name_or_id: &str) -> impl Future<Output = CloudResult<Option<StackInfo>>> + Send;

    /// Every stack that is not deleted and whose name starts with a prefix.
    fn stacks(&self, name_prefix: &str) -> impl Future<Output = CloudResult<Vec<StackInfo>>> + Send;

    /// Events of a stack after a known one, oldest first; all of them without one.
    fn events(
        &self,
        stack_id: &str,
        after: Option<&str>,
    ) -> impl Future<Output = CloudResult<Vec<StackEvent>>> + Send;

    /// Names of the stacks that import an export.
    fn importers(&self, export: &str) -> impl Future<Output = CloudResult<Vec<String>>> + Send;

    /// The template that a stack was made from, as written.
    fn template(&self, stack_name: &str) -> impl Future<Output = CloudResult<String>> + Send;

    /// Asks CloudFormation to check a template.
    fn validate(&self, template: &TemplateSource) -> impl Future<Output = CloudResult<()>> + Send;

    /// Asks for a change set; it is ready when [`Cloud::change_set`] says so. Returns its ARN.
    fn create_change_set(
        &self,
        request: &ChangeSetRequest,
    ) -> impl Future<Output = CloudResult<String>> + Send;

    /// A change set with all its changes.
    fn change_set(&self, stack_name: &str, id: &str) -> impl Future<Output = CloudResult<ChangeSet>> + Send;

    /// Starts the changes of a change set. Events carry the token. `on_failure` is for a changed stack; the change set of a
    /// new one carries its own.
    fn execute_change_set(
        &self,
        stack_name: &str,
        id: &str,
        token: &str,
        on_failure: OnFailure,
    ) -> impl Future<Output = CloudResult<()>> + Send;

    /// Removes a change set.
    fn delete_change_set(&self, stack_name: &str, id: &str) -> impl Future<Output = CloudResult<()>> + Send;

    /// Starts the deletion of a stack, leaving resources behind. Events carry the token.
    fn delete_stack(
        &self,
        stack_name: &str,
        token: &str,
        role_arn: Option<&str>,
        retain: &[String],
    ) -> impl Future<Output = CloudResult<()>> + Send;

    /// Starts the rest of a rollback, leaving resources out of it.
    fn continue_rollback(
        &self,
        stack_name: &str,
        token: &str,
        skip: &[String],
    ) -> impl Future<Output = CloudResult<()>> + Send;

    /// Turns termination protection on or off.
    fn set_termination_protection(
        &self,
        stack_name: &str,
        enabled: bool,
    ) -> impl Future<Output = CloudResult<()>> + Send;

    /// Compares a stack with what is really there. Takes a while.
    fn drift(&self, stack_name: &str) -> impl Future<Output = CloudResult<Vec<Drift>>> + Send;

    /// Puts a template into a bucket and returns where CloudFormation finds it.
    fn upload(&self, bucket: &str, key: &str, body: &str)
    -> impl Future<Output = CloudResult<String>> + Send;

    /// The value of a public parameter of Systems Manager.
    fn public_parameter(&self, name: &str) -> impl Future<Output = CloudResult<String>> + Send;

    /// Region, for links to the console.
    fn region(&self) -> &str;
}
