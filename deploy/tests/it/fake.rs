//! A CloudFormation that follows a script. Time passes for a stack when its events are read: one step per look.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::{Duration, SystemTime},
};

use deploy::{
    cloud::{
        Asked, Caller, Change, ChangeAction, ChangeSet, ChangeSetRequest, ChangeSetState, Cloud, CloudError,
        CloudResult, Drift, DriftReport, Issue, ListedChangeSet, OnFailure, ParameterValue, Replacement,
        Since, StackEvent, StackInfo, StackOutput, Subject, TemplateSource,
    },
    failure,
    preflight::{Account, InstanceType, Quota, Usage},
    status::StackStatus,
};
use infra_cfn::Template;

/// Something that happens in a stack.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// The stack gets a status.
    Stack(&'static str, Option<&'static str>),
    /// A resource gets a status.
    Resource(&'static str, &'static str, &'static str, Option<&'static str>),
    /// An event of the stack without a change of its status.
    Event(&'static str, &'static str),
    /// A stack inside of the stack gets a status; its ARN is [`nested_id`] of its logical id.
    Nested(&'static str, &'static str, &'static str),
    /// Somebody turns termination protection on.
    Protect,
}

/// ARN of a nested stack.
pub(crate) fn nested_id(logical_id: &str) -> String {
    format!("arn:aws:cloudformation:us-east-1:123456789012:stack/{logical_id}/nested")
}

/// A stack in the fake.
#[derive(Debug, Clone)]
struct FakeStack {
    info: StackInfo,
    events: Vec<StackEvent>,
    pending: VecDeque<Step>,
    token: Option<String>,
    /// Template and given values of the last change set that was executed.
    deployed: Option<(String, BTreeMap<String, String>)>,
    prepared: Option<(ChangeSetRequest, ChangeSet)>,
    /// The last change set that was asked for, and what was said when it was executed.
    request: Option<ChangeSetRequest>,
    on_failure: OnFailure,
}

#[derive(Default)]
struct State {
    stacks: BTreeMap<String, FakeStack>,
    gone: BTreeMap<String, FakeStack>,
    /// What happens after a request, by stack and operation; the usual without an entry.
    scripts: BTreeMap<(String, &'static str), VecDeque<Vec<Step>>>,
    changes: BTreeMap<String, Vec<Change>>,
    refusals: BTreeMap<String, String>,
    importers: BTreeMap<String, Vec<String>>,
    drifts: BTreeMap<String, Vec<Drift>>,
    unchecked: BTreeMap<String, Vec<String>>,
    /// What `DescribeEvents` says, by ARN of stack or change set.
    issues: BTreeMap<String, Vec<Issue>>,
    /// Change sets of others, by stack.
    foreign_sets: BTreeMap<String, Vec<String>>,
    /// Events of nested stacks, by ARN.
    nested: BTreeMap<String, Vec<StackEvent>>,
    taken: Vec<String>,
    images: BTreeMap<String, Vec<String>>,
    quotas: BTreeMap<Quota, Usage>,
    faults: VecDeque<(&'static str, CloudError)>,
    lost: VecDeque<&'static str>,
    calls: Vec<String>,
    uploads: Vec<String>,
    n_ids: u64,
}

/// The fake.
#[derive(Default)]
pub(crate) struct Fake(Mutex<State>);

impl Fake {
    /// A stack that is there already.
    pub(crate) fn with_stack(self, name: &str, status: &str) -> Self {
        self.edit(|state| {
            let info = state.info(name, status);
            state.stacks.insert(name.to_owned(), FakeStack::new(info));
        });
        self
    }

    /// What will happen on a stack by itself: somebody else is at work.
    pub(crate) fn with_pending(self, name: &str, steps: &[Step]) -> Self {
        self.edit(|state| state.stacks.get_mut(name).unwrap().pending.extend(steps.iter().copied()));
        self
    }

    /// What will happen after the next request of a kind: `create`, `update`, `delete` or `rollback`.
    pub(crate) fn after(self, name: &str, operation: &'static str, steps: &[Step]) -> Self {
        self.edit(|state| {
            state.scripts.entry((name.to_owned(), operation)).or_default().push_back(steps.to_vec());
        });
        self
    }

    /// The changes of the next change set of a stack.
    pub(crate) fn with_changes(self, name: &str, changes: Vec<Change>) -> Self {
        self.edit(|state| drop(state.changes.insert(name.to_owned(), changes)));
        self
    }

    /// The next change set of a stack is refused.
    pub(crate) fn refusing(self, name: &str, reason: &str) -> Self {
        self.edit(|state| drop(state.refusals.insert(name.to_owned(), reason.to_owned())));
        self
    }

    pub(crate) fn with_importers(self, export: &str, names: &[&str]) -> Self {
        self.edit(|state| {
            drop(state.importers.insert(export.to_owned(), names.iter().map(ToString::to_string).collect()));
        });
        self
    }

    pub(crate) fn with_drift(self, name: &str, drift: Drift) -> Self {
        self.edit(|state| state.drifts.entry(name.to_owned()).or_default().push(drift));
        self
    }

    /// Resources that a comparison with reality leaves out.
    pub(crate) fn with_unchecked(self, name: &str, ids: &[&str]) -> Self {
        let ids = ids.iter().map(ToString::to_string).collect();
        self.edit(|state| drop(state.unchecked.insert(name.to_owned(), ids)));
        self
    }

    /// What `DescribeEvents` says about a stack, or about a change set of it.
    pub(crate) fn with_issue(self, name: &str, issue: Issue) -> Self {
        self.edit(|state| state.issues.entry(name.to_owned()).or_default().push(issue));
        self
    }

    /// A change set that somebody else has prepared.
    pub(crate) fn with_foreign_set(self, name: &str, id: &str) -> Self {
        self.edit(|state| state.foreign_sets.entry(name.to_owned()).or_default().push(id.to_owned()));
        self
    }

    /// Something that happened inside of a nested stack.
    pub(crate) fn with_nested_event(
        self,
        stack: &str,
        logical_id: &str,
        kind: &str,
        status: &str,
        reason: &str,
    ) -> Self {
        let event = StackEvent {
            id: logical_id.to_owned(),
            time: SystemTime::UNIX_EPOCH,
            logical_id: logical_id.to_owned(),
            physical_id: String::new(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            token: None,
        };
        self.edit(|state| state.nested.entry(nested_id(stack)).or_default().push(event));
        self
    }

    /// A name that somebody has taken, as `TYPE NAME`.
    pub(crate) fn taking(self, kind_and_name: &str) -> Self {
        self.edit(|state| state.taken.push(kind_and_name.to_owned()));
        self
    }

    /// An image with its architectures.
    pub(crate) fn with_image(self, reference: &str, architectures: &[&str]) -> Self {
        let architectures = architectures.iter().map(ToString::to_string).collect();
        self.edit(|state| drop(state.images.insert(reference.to_owned(), architectures)));
        self
    }

    pub(crate) fn with_quota(self, quota: Quota, used: f64, limit: f64) -> Self {
        self.edit(|state| _ = state.quotas.insert(quota, Usage { used, limit }));
        self
    }

    /// The next call of a name fails.
    pub(crate) fn failing(self, call: &'static str, error: CloudError) -> Self {
        self.edit(|state| state.faults.push_back((call, error)));
        self
    }

    pub(crate) fn edit_stack(self, name: &str, edit: impl FnOnce(&mut StackInfo)) -> Self {
        self.edit(|state| edit(&mut state.stacks.get_mut(name).unwrap().info));
        self
    }

    fn edit(&self, edit: impl FnOnce(&mut State)) {
        edit(&mut self.0.lock().unwrap());
    }

    /// The calls that change something, in their order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    /// Keys of what was uploaded.
    pub(crate) fn uploads(&self) -> Vec<String> {
        self.0.lock().unwrap().uploads.clone()
    }

    pub(crate) fn status(&self, name: &str) -> Option<StackStatus> {
        self.0.lock().unwrap().stacks.get(name).map(|it| it.info.status)
    }

    /// The values that the last change set of a stack was given.
    pub(crate) fn values(&self, name: &str) -> BTreeMap<String, String> {
        self.0.lock().unwrap().stacks[name].deployed.clone().unwrap().1
    }

    /// The last change set that was asked for on a stack.
    pub(crate) fn request(&self, name: &str) -> ChangeSetRequest {
        self.0.lock().unwrap().stacks[name].request.clone().unwrap()
    }

    /// What the last execution on a stack was told to do about a failure.
    pub(crate) fn on_failure(&self, name: &str) -> OnFailure {
        self.0.lock().unwrap().stacks[name].on_failure
    }

    /// The answer to the next call of a name is lost on its way back.
    pub(crate) fn losing_the_answer_to(self, call: &'static str) -> Self {
        self.edit(|state| state.lost.push_back(call));
        self
    }

    fn call<T>(
        &self,
        name: &'static str,
        detail: &str,
        act: impl FnOnce(&mut State) -> CloudResult<T>,
    ) -> CloudResult<T> {
        let mut state = self.0.lock().unwrap();
        if let Some(at) = state.faults.iter().position(|(call, _)| *call == name) {
            return Err(state.faults.remove(at).unwrap().1);
        }
        if !detail.is_empty() {
            state.calls.push(format!("{name} {detail}"));
        }
        let result = act(&mut state);
        if let Some(at) = state.lost.iter().position(|it| *it == name) {
            state.lost.remove(at);
            return Err(CloudError::Unreachable("the connection was closed".into()));
        }
        result
    }
}

impl FakeStack {
    fn new(info: StackInfo) -> Self {
        Self {
            info,
            events: Vec::new(),
            pending: VecDeque::new(),
            token: None,
            deployed: None,
            prepared: None,
            request: None,
            on_failure: OnFailure::default(),
        }
    }

    fn apply(&mut self, step: Step) {
        let (logical_id, kind, status, reason) = match step {
            Step::Stack(status, reason) => {
                self.info.status = StackStatus::from_name(status).unwrap();
                self.info.status_reason = reason.map(str::to_owned);
                (self.info.name.clone(), "AWS::CloudFormation::Stack", status, reason)
            }
            Step::Event(status, reason) => {
                (self.info.name.clone(), "AWS::CloudFormation::Stack", status, Some(reason))
            }
            Step::Resource(logical_id, kind, status, reason) => (logical_id.to_owned(), kind, status, reason),
            Step::Nested(logical_id, status, reason) => {
                (logical_id.to_owned(), failure::STACK, status, Some(reason))
            }
            Step::Protect => {
                self.info.termination_protection = true;
                return;
            }
        };
        let n = self.events.len() as u64;
        let physical_id = match step {
            Step::Nested(logical_id, ..) => nested_id(logical_id),
            Step::Resource(logical_id, ..) => format!("physical-{logical_id}"),
            _ => self.info.id.clone(),
        };
        self.events.push(StackEvent {
            id: format!("{}-{n}", self.info.name),
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(n),
            logical_id,
            physical_id,
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            token: self.token.clone(),
        });
    }
}

impl State {
    fn info(&mut self, name: &str, status: &str) -> StackInfo {
        self.n_ids += 1;
        StackInfo {
            name: name.to_owned(),
            id: format!("arn:aws:cloudformation:us-east-1:123456789012:stack/{name}/{}", self.n_ids),
            status: StackStatus::from_name(status).unwrap(),
            status_reason: None,
            parameters: BTreeMap::new(),
            outputs: Vec::new(),
            tags: BTreeMap::new(),
            termination_protection: false,
            created: None,
            updated: None,
        }
    }

    fn find(&mut self, name_or_id: &str) -> Option<&mut FakeStack> {
        if self.stacks.contains_key(name_or_id) {
            return self.stacks.get_mut(name_or_id);
        }
        let of_id = |it: &&mut FakeStack| it.info.id == name_or_id;
        match self.stacks.values_mut().find(of_id) {
            Some(found) => Some(found),
            None => self.gone.get_mut(name_or_id),
        }
    }

    /// The name of a stack that is named or given by its ARN.
    fn name_of(&self, name_or_id: &str) -> String {
        let named = self.stacks.values().find(|it| it.info.id == name_or_id);
        named.map_or_else(|| name_or_id.to_owned(), |it| it.info.name.clone())
    }

    /// The stack that a change set belongs to.
    fn stack_of(&self, change_set: &str) -> Option<String> {
        let has = |it: &&FakeStack| it.prepared.as_ref().is_some_and(|(_, set)| set.id == change_set);
        self.stacks.values().find(has).map(|it| it.info.name.clone())
    }

    /// A script for a request, or what usually happens.
    fn begin(&mut self, name: &str, operation: &'static str, token: &str, usual: Vec<Step>) {
        let script = self
            .scripts
            .get_mut(&(name.to_owned(), operation))
            .and_then(VecDeque::pop_front)
            .unwrap_or(usual);
        let stack = self.stacks.get_mut(name).unwrap();
        stack.token = Some(token.to_owned());
        stack.pending = script.into();
    }
}

fn body(template: &TemplateSource) -> String {
    match template {
        TemplateSource::Body(body) => body.clone(),
        TemplateSource::Url(url) => url.clone(),
    }
}

/// The usual end of an operation: every resource and then the stack.
fn usual(verb: &'static str, resources: &[(String, String)]) -> Vec<Step> {
    #[expect(clippy::disallowed_methods, reason = "a script of a test lives as long as its process")]
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let mut steps = vec![Step::Stack(leak(&format!("{verb}_IN_PROGRESS")), None)];
    for (name, kind) in resources {
        steps.push(Step::Resource(leak(name), leak(kind), leak(&format!("{verb}_IN_PROGRESS")), None));
        steps.push(Step::Resource(leak(name), leak(kind), leak(&format!("{verb}_COMPLETE")), None));
    }
    steps.push(Step::Stack(leak(&format!("{verb}_COMPLETE")), None));
    steps
}

impl Account for Fake {
    async fn is_taken(&self, kind: &str, name: &str) -> CloudResult<bool> {
        self.call("is_taken", "", |state| Ok(state.taken.contains(&format!("{kind} {name}"))))
    }

    async fn instance_type(&self, name: &str) -> CloudResult<Option<InstanceType>> {
        let architecture = if name.starts_with("t4g") { "arm64" } else { "x86_64" };
        let zones = vec!["us-east-1a".to_owned(), "us-east-1b".to_owned()];
        let found = InstanceType { architectures: vec![architecture.to_owned()], zones, n_vcpus: 2 };
        self.call("instance_type", "", |_| Ok((!name.starts_with("z9")).then_some(found)))
    }

    async fn usage(&self, quota: Quota) -> CloudResult<Usage> {
        let plenty = Usage { used: 0.0, limit: 1000.0 };
        self.call("usage", "", |state| Ok(state.quotas.get(&quota).copied().unwrap_or(plenty)))
    }

    async fn architectures(&self, image: &str) -> CloudResult<Vec<String>> {
        self.call("architectures", "", |state| {
            state.images.get(image).cloned().ok_or_else(|| CloudError::NotFound("no such tag".into()))
        })
    }

    async fn has_service_role(&self, _role: &str) -> CloudResult<bool> {
        self.call("has_service_role", "", |_| Ok(true))
    }
}

impl Cloud for Fake {
    async fn caller(&self) -> CloudResult<Caller> {
        self.call("caller", "", |_| {
            Ok(Caller {
                account: "123456789012".into(),
                region: "us-east-1".into(),
                identity: "arn:aws:iam::123456789012:user/me".into(),
            })
        })
    }

    async fn deleted_stack(&self, name: &str) -> CloudResult<Option<StackInfo>> {
        self.call("deleted_stack", "", |state| {
            Ok(state.gone.values().map(|it| it.info.clone()).find(|it| it.name == name))
        })
    }

    async fn last_event(&self, stack_id: &str) -> CloudResult<Option<String>> {
        self.call("last_event", "", |state| {
            Ok(state.find(stack_id).and_then(|it| it.events.last().map(|it| it.id.clone())))
        })
    }

    async fn issues(&self, subject: Subject<'_>) -> CloudResult<Vec<Issue>> {
        self.call("issues", "", |state| {
            let name = match subject {
                Subject::Stack(id) => state.name_of(id),
                Subject::ChangeSet(id) => id.strip_prefix("change-set-of-").unwrap_or(id).to_owned(),
            };
            Ok(state.issues.get(&name).cloned().unwrap_or_default())
        })
    }

    async fn change_sets(&self, stack_id: &str) -> CloudResult<Vec<ListedChangeSet>> {
        self.call("change_sets", "", |state| {
            let name = state.name_of(stack_id);
            let listed = |id: &String| ListedChangeSet { id: id.clone(), name: id.clone() };
            let mut sets: Vec<_> = state.foreign_sets.get(&name).into_iter().flatten().map(listed).collect();
            let own = state.stacks.get(&name).and_then(|it| it.prepared.as_ref());
            sets.extend(own.map(|(_, set)| listed(&set.id)));
            Ok(sets)
        })
    }

    async fn stack(&self, name_or_id: &str) -> CloudResult<Option<StackInfo>> {
        self.call("stack", "", |state| {
            let by_name = state.stacks.contains_key(name_or_id);
            let found = state.find(name_or_id).map(|it| it.info.clone());
            Ok(found.filter(|it| !by_name || it.status != StackStatus::DeleteComplete))
        })
    }

    async fn stacks(&self, name_prefix: &str) -> CloudResult<Vec<StackInfo>> {
        self.call("stacks", "", |state| {
            Ok(state
                .stacks
                .values()
                .map(|it| it.info.clone())
                .filter(|it| it.name.starts_with(name_prefix))
                .collect())
        })
    }

    async fn events(&self, stack_id: &str, since: Since<'_>) -> CloudResult<Vec<StackEvent>> {
        self.call("events", "", |state| {
            if let Some(events) = state.nested.get(stack_id) {
                return Ok(events.clone());
            }
            let Some(stack) = state.find(stack_id) else { return Ok(Vec::new()) };
            if let Some(step) = stack.pending.pop_front() {
                stack.apply(step);
            }
            let from = match since {
                Since::Event(after) => {
                    after.and_then(|id| stack.events.iter().position(|it| it.id == id)).map_or(0, |it| it + 1)
                }
                Since::LastOperation => {
                    stack.events.iter().rposition(|it| failure::begins_operation(it, stack_id)).unwrap_or(0)
                }
            };
            let events = stack.events[from..].to_vec();
            let (name, is_gone) = (stack.info.name.clone(), stack.info.status == StackStatus::DeleteComplete);
            if is_gone && let Some(stack) = state.stacks.remove(&name) {
                state.gone.insert(stack.info.id.clone(), stack);
            }
            Ok(events)
        })
    }

    async fn importers(&self, export: &str) -> CloudResult<Vec<String>> {
        self.call("importers", "", |state| Ok(state.importers.get(export).cloned().unwrap_or_default()))
    }

    async fn template(&self, stack_name: &str) -> CloudResult<String> {
        self.call("template", "", |state| {
            let deployed = state.stacks.get(stack_name).and_then(|it| it.deployed.clone());
            deployed.map(|it| it.0).ok_or_else(|| CloudError::NotFound(stack_name.to_owned()))
        })
    }

    async fn validate(&self, _template: &TemplateSource) -> CloudResult<()> {
        self.call("validate", "", |_| Ok(()))
    }

    async fn create_change_set(&self, request: &ChangeSetRequest) -> CloudResult<Asked> {
        self.call("create_change_set", &request.stack_name, |state| {
            let name = &request.stack_name;
            if !state.stacks.contains_key(name) {
                let info = state.info(name, "REVIEW_IN_PROGRESS");
                state.stacks.insert(name.clone(), FakeStack::new(info));
            }
            let given: BTreeMap<String, String> = request
                .parameters
                .iter()
                .filter_map(|(name, value)| match value {
                    ParameterValue::Given(value) => Some((name.clone(), value.clone())),
                    ParameterValue::Previous => None,
                })
                .collect();
            let text = body(&request.template);
            let changes = state.changes.remove(name).unwrap_or_else(|| adds(&text));
            let refusal = state.refusals.remove(name);
            let stack = state.stacks.get_mut(name).unwrap();
            let (stack_id, stack_name) = (stack.info.id.clone(), name.clone());
            let is_same = stack.deployed.as_ref().is_some_and(|(before, values)| {
                *before == text && given.iter().all(|(name, value)| values.get(name) == Some(value))
            });
            let state = match refusal {
                Some(reason) => ChangeSetState::Refused(reason),
                None if is_same => ChangeSetState::Empty,
                None => ChangeSetState::Ready,
            };
            let id = format!("change-set-of-{name}");
            stack.request = Some(request.clone());
            let set = ChangeSet { id: id.clone(), stack_id: stack_id.clone(), stack_name, state, changes };
            stack.prepared = Some((request.clone(), set));
            Ok(Asked { id, stack_id })
        })
    }

    async fn change_set(&self, id: &str) -> CloudResult<ChangeSet> {
        self.call("change_set", "", |state| {
            let prepared = state.stack_of(id).and_then(|it| state.stacks[&it].prepared.clone());
            prepared
                .map(|it| it.1)
                .ok_or_else(|| CloudError::NotFound(format!("ChangeSet [{id}] does not exist")))
        })
    }

    async fn execute_change_set(&self, id: &str, token: &str, on_failure: OnFailure) -> CloudResult<()> {
        let stack_name = id.strip_prefix("change-set-of-").unwrap();
        self.call("execute", stack_name, |state| {
            let stack = state.stacks.get_mut(stack_name).unwrap();
            let Some((request, set)) = stack.prepared.take() else {
                let reason = "ChangeSet cannot be executed in its current status of [EXECUTE_COMPLETE]";
                return Err(CloudError::Stale(reason.into()));
            };
            if request.is_new && on_failure != OnFailure::default() {
                let reason =
                    "You can't specify DisableRollback when the change set was created with OnStackFailure";
                return Err(CloudError::Refused(reason.into()));
            }
            stack.on_failure = on_failure;
            let text = body(&request.template);
            let mut values = stack.deployed.take().map(|it| it.1).unwrap_or_default();
            for (name, value) in &request.parameters {
                if let ParameterValue::Given(value) = value {
                    values.insert(name.clone(), value.clone());
                }
            }
            let shown = |name: &String, value: &String| {
                (name.clone(), if name.contains("Password") { "****".to_owned() } else { value.clone() })
            };
            stack.info.parameters = values.iter().map(|(name, value)| shown(name, value)).collect();
            stack.info.tags.extend(request.tags.clone());
            stack.info.outputs = outputs(&text, stack_name);
            stack.deployed = Some((text, values));
            let resources: Vec<_> =
                set.changes.iter().map(|it| (it.logical_id.clone(), it.kind.clone())).collect();
            let (operation, verb) = if request.is_new { ("create", "CREATE") } else { ("update", "UPDATE") };
            state.begin(stack_name, operation, token, usual(verb, &resources));
            Ok(())
        })
    }

    async fn delete_change_set(&self, id: &str) -> CloudResult<()> {
        let name = id.strip_prefix("change-set-of-").unwrap();
        self.call("delete_change_set", name, |state| {
            if let Some(stack) = state.stacks.get_mut(name) {
                stack.prepared = None;
            }
            Ok(())
        })
    }

    async fn delete_stack(
        &self,
        stack_id: &str,
        token: &str,
        role_arn: Option<&str>,
        retain: &[String],
    ) -> CloudResult<()> {
        let with = |word: &str, what: &str| format!(" {word} {what}");
        let role = role_arn.map(|it| with("as", it)).unwrap_or_default();
        let keeping = if retain.is_empty() { String::new() } else { with("keeping", &retain.join(",")) };
        let stack_name = self.0.lock().unwrap().name_of(stack_id);
        self.call("delete_stack", &format!("{stack_name}{role}{keeping}"), |state| {
            if state.stacks[&stack_name].info.status == StackStatus::ReviewInProgress {
                state.stacks.remove(&stack_name);
                return Ok(());
            }
            state.begin(&stack_name, "delete", token, usual("DELETE", &[]));
            Ok(())
        })
    }

    async fn continue_rollback(
        &self,
        stack_id: &str,
        token: &str,
        role_arn: Option<&str>,
        skip: &[String],
    ) -> CloudResult<()> {
        let without = if skip.is_empty() { String::new() } else { format!(" without {}", skip.join(",")) };
        let role = role_arn.map(|it| format!(" as {it}")).unwrap_or_default();
        let stack_name = self.0.lock().unwrap().name_of(stack_id);
        self.call("continue_rollback", &format!("{stack_name}{role}{without}"), |state| {
            let usual = vec![
                Step::Stack("UPDATE_ROLLBACK_IN_PROGRESS", None),
                Step::Stack("UPDATE_ROLLBACK_COMPLETE", None),
            ];
            state.begin(&stack_name, "rollback", token, usual);
            Ok(())
        })
    }

    async fn set_termination_protection(&self, stack_id: &str, enabled: bool) -> CloudResult<()> {
        let stack_name = self.0.lock().unwrap().name_of(stack_id);
        self.call("protect", &format!("{stack_name} {enabled}"), |state| {
            state.stacks.get_mut(&stack_name).unwrap().info.termination_protection = enabled;
            Ok(())
        })
    }

    async fn drift(&self, stack_id: &str) -> CloudResult<DriftReport> {
        self.call("drift", "", |state| {
            let name = state.name_of(stack_id);
            let drifts = state.drifts.get(&name).cloned().unwrap_or_default();
            Ok(DriftReport { drifts, unchecked: state.unchecked.get(&name).cloned().unwrap_or_default() })
        })
    }

    async fn upload(&self, bucket: &str, key: &str, _body: &str) -> CloudResult<String> {
        self.edit(|state| state.uploads.push(key.to_owned()));
        let name = key.rsplit('/').next().unwrap_or_default();
        self.call("upload", &format!("{bucket} {name}"), |_| Ok(format!("https://{bucket}/{name}")))
    }

    async fn public_parameter(&self, name: &str) -> CloudResult<String> {
        self.call("public_parameter", name, |_| Ok("ami-0123456789abcdef0".to_owned()))
    }

    fn region(&self) -> &str {
        "us-east-1"
    }
}

fn adds(text: &str) -> Vec<Change> {
    let Ok(template) = Template::parse(text) else { return Vec::new() };
    let add = |(name, it): (&String, &infra_cfn::template::Resource)| Change {
        action: ChangeAction::Add,
        logical_id: name.clone(),
        physical_id: None,
        kind: it.kind.clone(),
        replacement: Replacement::No,
        policy: None,
        properties: Vec::new(),
    };
    template.resources.iter().map(add).collect()
}

fn outputs(text: &str, stack_name: &str) -> Vec<StackOutput> {
    let Ok(template) = Template::parse(text) else { return Vec::new() };
    let output = |(key, it): (&String, &infra_cfn::template::Output)| StackOutput {
        key: key.clone(),
        value: format!("value-of-{key}"),
        description: None,
        export: it.export.as_ref().map(|it| it.resolve(|_| Some(stack_name.to_owned())).unwrap()),
    };
    template.outputs.iter().map(output).collect()
}
