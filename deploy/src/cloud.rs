//! What the engine needs from CloudFormation, as one trait and plain data.
//!
//! Invariant: no type of an SDK crosses this boundary, so the engine can be tested against a scripted fake, and a change of
//! SDK touches `cloud/aws.rs` and `cloud/aws/` only.

mod account;
pub mod aws;
mod model;

pub use account::{Account, InstanceType, Quota, Usage};
pub use aws_session::error::{CloudError, CloudResult};
pub use model::*;

use std::future::Future;

/// CloudFormation, as far as the engine uses it. Calls do not retry by themselves more than an SDK does.
///
/// A stack is named or, once it is known, given by its ARN, which another stack of the same name does not have.
pub trait Cloud: Account + Sync {
    /// Who is asking, and where.
    fn caller(&self) -> impl Future<Output = CloudResult<Caller>> + Send;

    /// The newest stack with a name or ARN; by name only one that is not deleted.
    fn stack(&self, name_or_id: &str) -> impl Future<Output = CloudResult<Option<StackInfo>>> + Send;

    /// The stack of a name that was deleted last; AWS keeps such for 90 days.
    fn deleted_stack(&self, name: &str) -> impl Future<Output = CloudResult<Option<StackInfo>>> + Send;

    /// Every stack that is not deleted and whose name starts with a prefix.
    fn stacks(&self, name_prefix: &str) -> impl Future<Output = CloudResult<Vec<StackInfo>>> + Send;

    /// Events of a stack, oldest first.
    fn events(
        &self,
        stack_id: &str,
        since: Since<'_>,
    ) -> impl Future<Output = CloudResult<Vec<StackEvent>>> + Send;

    /// Id of the newest event of a stack; nothing before the first one.
    fn last_event(&self, stack_id: &str) -> impl Future<Output = CloudResult<Option<String>>> + Send;

    /// What failed in a change set or in the last operation on a stack, in more detail than the events of a stack have.
    fn issues(&self, subject: Subject<'_>) -> impl Future<Output = CloudResult<Vec<Issue>>> + Send;

    /// Names of the stacks that import an export.
    fn importers(&self, export: &str) -> impl Future<Output = CloudResult<Vec<String>>> + Send;

    /// The template that a stack was made from, as written.
    fn template(&self, stack_name: &str) -> impl Future<Output = CloudResult<String>> + Send;

    /// Asks CloudFormation to check a template.
    fn validate(&self, template: &TemplateSource) -> impl Future<Output = CloudResult<()>> + Send;

    /// Asks for a change set; it is ready when [`Cloud::change_set`] says so. The same request again finds the change set
    /// of the first.
    fn create_change_set(
        &self,
        request: &ChangeSetRequest,
    ) -> impl Future<Output = CloudResult<Asked>> + Send;

    /// A change set with all its changes, by its ARN.
    fn change_set(&self, id: &str) -> impl Future<Output = CloudResult<ChangeSet>> + Send;

    /// The change sets of a stack that nobody has executed.
    fn change_sets(&self, stack_id: &str) -> impl Future<Output = CloudResult<Vec<ListedChangeSet>>> + Send;

    /// Starts the changes of a change set. Events carry the token. `on_failure` is for a changed stack; the change set of a
    /// new one carries its own.
    fn execute_change_set(
        &self,
        id: &str,
        token: &str,
        on_failure: OnFailure,
    ) -> impl Future<Output = CloudResult<()>> + Send;

    /// Removes a change set.
    fn delete_change_set(&self, id: &str) -> impl Future<Output = CloudResult<()>> + Send;

    /// Starts the deletion of a stack, leaving resources behind. Events carry the token.
    fn delete_stack(
        &self,
        stack_id: &str,
        token: &str,
        role_arn: Option<&str>,
        retain: &[String],
    ) -> impl Future<Output = CloudResult<()>> + Send;

    /// Starts the rest of a rollback, leaving resources out of it.
    fn continue_rollback(
        &self,
        stack_id: &str,
        token: &str,
        role_arn: Option<&str>,
        skip: &[String],
    ) -> impl Future<Output = CloudResult<()>> + Send;

    /// Turns termination protection on or off.
    fn set_termination_protection(
        &self,
        stack_id: &str,
        enabled: bool,
    ) -> impl Future<Output = CloudResult<()>> + Send;

    /// The stack policy, as JSON; nothing where none was ever set.
    fn stack_policy(&self, stack_id: &str) -> impl Future<Output = CloudResult<Option<String>>> + Send;

    /// Sets the stack policy.
    fn set_stack_policy(&self, stack_id: &str, policy: &str) -> impl Future<Output = CloudResult<()>> + Send;

    /// Compares a stack with what is really there. Takes a while; gives up after [`DRIFT_DEADLINE`].
    fn drift(&self, stack_id: &str) -> impl Future<Output = CloudResult<DriftReport>> + Send;

    /// Puts a template into a bucket and returns where CloudFormation finds it.
    fn upload(&self, bucket: &str, key: &str, body: &str)
    -> impl Future<Output = CloudResult<String>> + Send;

    /// The value of a public parameter of Systems Manager.
    fn public_parameter(&self, name: &str) -> impl Future<Output = CloudResult<String>> + Send;

    /// Region, for links to the console.
    fn region(&self) -> &str;
}

/// How long a comparison of a stack with reality may take.
pub const DRIFT_DEADLINE: std::time::Duration = std::time::Duration::from_mins(20);
