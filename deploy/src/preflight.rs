//! A look ahead: what an account would refuse late, when half of the resources are made, found before the first one is.
//!
//! [`Wishes`] says what templates and values would make that depends on the account; it is pure. [`look`] asks the account
//! about that and nothing else. What cannot be asked, for want of a permission or of a network, is said and stops nothing.

mod wishes;

pub use crate::cloud::{Account, InstanceType, Quota, Usage};
pub use wishes::{Image, Name, Wishes, is_foreign_region};

use futures_util::{StreamExt, stream};

use crate::cloud::CloudError;

/// How many questions are asked at once.
const AT_ONCE: usize = 8;

/// Something that would fail, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Short name of the stack.
    pub stack: String,
    /// What would fail.
    pub message: String,
    /// What to do, in a sentence.
    pub hint: String,
}

/// What a look ahead found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What would fail.
    pub problems: Vec<Problem>,
    /// What one should know, and what could not be asked.
    pub notes: Vec<String>,
}

/// The answer to one question: a problem, a note, or nothing.
enum Answer {
    Fine,
    Problem(Problem),
    Note(String),
}

/// A question about a wish.
enum Question<'w> {
    Name(&'w Name),
    Image(&'w Image),
    Type { stack: &'w str, name: &'w str },
    Quota { stack: &'w str, quota: Quota, n_more: usize },
    Role { name: &'static str, service: &'static str },
}

/// Asks an account about wishes. Answers come in the order of the wishes.
pub async fn look<A: Account>(account: &A, wishes: &Wishes) -> Findings {
    let names = wishes.names.iter().map(Question::Name);
    let images = wishes.images.iter().map(Question::Image);
    let types = wishes.instance_types.iter().map(|(name, stack)| Question::Type { stack, name });
    let quotas = wishes.counts.iter().map(|(quota, (stack, n_more))| Question::Quota {
        stack,
        quota: *quota,
        n_more: *n_more,
    });
    let roles = wishes.service_roles.iter().map(|(name, service)| Question::Role { name, service });
    let questions: Vec<Question<'_>> = names.chain(images).chain(types).chain(quotas).chain(roles).collect();
    let asked = stream::iter(questions).map(|it| ask(account, wishes, it)).buffered(AT_ONCE);
    let answers: Vec<Answer> = asked.collect().await;
    let mut findings = Findings { problems: wishes.problems.clone(), notes: Vec::new() };
    for answer in answers {
        match answer {
            Answer::Fine => {}
            Answer::Problem(it) => findings.problems.push(it),
            Answer::Note(it) if findings.notes.contains(&it) => {}
            Answer::Note(it) => findings.notes.push(it),
        }
    }
    findings
}

async fn ask<A: Account>(account: &A, wishes: &Wishes, question: Question<'_>) -> Answer {
    let answered = match question {
        Question::Name(it) => name(account, it).await,
        Question::Image(it) => image(account, it).await,
        Question::Type { stack, name } => instance_type(account, wishes, stack, name).await,
        Question::Quota { stack, quota, n_more } => quota_of(account, stack, quota, n_more).await,
        Question::Role { name, service } => role(account, name, service).await,
    };
    answered.unwrap_or_else(|(what, err)| Answer::Note(format!("not asked before the start: {what} ({err})")))
}

type Asked = Result<Answer, (String, CloudError)>;

async fn name<A: Account>(account: &A, it: &Name) -> Asked {
    let what = format!("{} \"{}\"", it.word(), it.name);
    let is_taken = account.is_taken(&it.kind, &it.name).await.map_err(|err| (what.clone(), err))?;
    if !is_taken {
        return Ok(Answer::Fine);
    }
    Ok(Answer::Problem(Problem {
        stack: it.stack.clone(),
        message: format!("{what} exists already; {} at {} would make it", it.logical_id, it.place),
        hint: match &it.parameter {
            Some(parameter) => {
                format!("Give another {parameter}, or delete what has the name, or import it into the stack.")
            }
            None => "Delete what has the name, import it, or choose another --prefix.".to_owned(),
        },
    }))
}

async fn image<A: Account>(account: &A, it: &Image) -> Asked {
    let problem = |message: String, hint: String| {
        Ok(Answer::Problem(Problem { stack: it.stack.clone(), message, hint }))
    };
    let built = match account.architectures(&it.reference).await {
        Ok(architectures) => architectures,
        Err(CloudError::NotFound(_)) => {
            return problem(
                format!(
                    "the image {} does not exist; {} at {} would start it",
                    it.reference, it.logical_id, it.place
                ),
                "Push it (cargo xtask publish), or name one that exists with its parameters.".to_owned(),
            );
        }
        Err(err) => return Err((format!("the image {}", it.reference), err)),
    };
    let needed = match (&it.architecture, &it.instance_type) {
        (Some(architecture), _) => Some(architecture.clone()),
        (None, Some(name)) => {
            let found = account.instance_type(name).await;
            let found = found.map_err(|err| (format!("the architecture of {name}"), err))?;
            found.and_then(|it| it.architectures.into_iter().next())
        }
        (None, None) => None,
    };
    let Some(needed) = needed.as_deref().map(docker_word) else { return Ok(Answer::Fine) };
    if built.is_empty() || built.iter().any(|it| docker_word(it) == needed) {
        return Ok(Answer::Fine);
    }
    let host = it.instance_type.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    problem(
        format!("the image {} is for {}, and what runs it{host} is {needed}", it.reference, built.join(", ")),
        format!(
            "Build it for {needed} (cargo xtask publish), or choose an instance type of {}.",
            built.join(" or ")
        ),
    )
}

/// One word for an architecture, whoever names it.
fn docker_word(architecture: &str) -> &str {
    match architecture {
        "x86_64" | "X86_64" => "amd64",
        "ARM64" | "aarch64" => "arm64",
        other => other,
    }
}

async fn instance_type<A: Account>(account: &A, wishes: &Wishes, stack: &str, name: &str) -> Asked {
    let found =
        account.instance_type(name).await.map_err(|err| (format!("the instance type {name}"), err))?;
    let problem = |message: String, hint: &str| {
        Ok(Answer::Problem(Problem { stack: stack.to_owned(), message, hint: hint.to_owned() }))
    };
    let Some(found) = found else {
        return problem(
            format!("the instance type {name} does not exist in this region"),
            "Choose another instance type or another region.",
        );
    };
    let without: Vec<&str> =
        wishes.zones.iter().filter(|it| !found.zones.contains(*it)).map(String::as_str).collect();
    if !found.zones.is_empty() && !wishes.zones.is_empty() && without.len() == wishes.zones.len() {
        return problem(
            format!("{name} is not offered in {}; it is in {}", without.join(", "), found.zones.join(", ")),
            "Choose other zones (AvailabilityZoneA, AvailabilityZoneB) or another instance type.",
        );
    }
    if !found.zones.is_empty() && !without.is_empty() {
        let text =
            format!("{name} is not offered in {}: it starts in the other zones only", without.join(", "));
        return Ok(Answer::Note(text));
    }
    let usage = account.usage(Quota::Vcpus).await.map_err(|err| ("the quota of vCPUs".to_owned(), err))?;
    if f64::from(found.n_vcpus) > usage.limit {
        return problem(
            format!("{name} has {} vCPUs, and the account may run {}", found.n_vcpus, usage.limit),
            "Raise the quota in the console under Service Quotas (EC2, running on-demand instances), or choose a smaller type.",
        );
    }
    Ok(Answer::Fine)
}

async fn quota_of<A: Account>(account: &A, stack: &str, quota: Quota, n_more: usize) -> Asked {
    let Usage { used, limit } =
        account.usage(quota).await.map_err(|err| (format!("the quota of {}", quota.word()), err))?;
    if used + n_more as f64 <= limit {
        return Ok(Answer::Fine);
    }
    Ok(Answer::Problem(Problem {
        stack: stack.to_owned(),
        message: format!("{n_more} more {} are needed; the region has {used} of {limit}", quota.word()),
        hint: format!(
            "Raise the quota {} in the console under Service Quotas, or delete what is no longer needed.",
            quota.code().1
        ),
    }))
}

async fn role<A: Account>(account: &A, name: &str, service: &str) -> Asked {
    let is_there = account.has_service_role(name).await.map_err(|err| (format!("the role {name}"), err))?;
    Ok(if is_there {
        Answer::Fine
    } else {
        Answer::Note(format!(
            "{name} is missing: AWS makes it at the first use, which needs iam:CreateServiceLinkedRole; where the first \
             deployment fails for it: aws iam create-service-linked-role --aws-service-name {service}"
        ))
    })
}
