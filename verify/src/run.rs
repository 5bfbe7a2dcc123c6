//! Runs the checks of a target one after the other, and takes back what they did.

use std::{future::Future, time::Instant};

use super::{
    animals, bucket,
    check::{Check, Context, Outcome, Undo},
    database,
    http::{Http, Request},
    network,
    report::{Entry, Report},
    rest,
    subject::{Subject, Target},
    tls,
};

/// Every check of a target, in order: first as a user, then as somebody who should not be there.
pub fn checks(target: Target) -> Vec<&'static Check> {
    let lists: &[&[Check]] = match target {
        Target::Local => &[rest::CHECKS, database::CHECKS, network::CHECKS, network::ON_HOST],
        Target::Hybrid => {
            &[rest::CHECKS, rest::ON_AWS, tls::CHECKS, network::CHECKS, network::ON_HOST, bucket::TEMPLATES]
        }
        Target::Serverless => &[animals::CHECKS, tls::CHECKS, network::CHECKS, bucket::STATE],
    };
    lists.iter().flat_map(|list| list.iter()).collect()
}

/// Runs every check of the subject's target until `interrupted` ends; `on_entry` sees each as it ends.
pub async fn run(
    subject: &Subject,
    http: Http,
    interrupted: impl Future<Output = ()>,
    mut on_entry: impl FnMut(&Entry),
) -> Report {
    let begun = Instant::now();
    let context = Context::new(subject, http);
    let mut report = Report {
        target: subject.target,
        url: subject.url.clone(),
        entries: Vec::new(),
        leftovers: Vec::new(),
        interrupted: false,
        time: begun.elapsed(),
    };
    let story = async {
        for check in checks(subject.target) {
            let started = Instant::now();
            let outcome = Outcome::from((check.how)(&context).await);
            let entry = Entry { name: check.name, what: check.what, outcome, time: started.elapsed() };
            on_entry(&entry);
            report.entries.push(entry);
        }
    };
    let stopped = tokio::select! {
        biased;
        () = interrupted => true,
        () = story => false,
    };
    report.interrupted = stopped;
    report.leftovers = take_back(&context).await;
    report.time = begun.elapsed();
    report
}

/// Undoes what checks did; what is still there is told.
async fn take_back(context: &Context<'_>) -> Vec<String> {
    let mut leftovers = Vec::new();
    for undo in context.take_undo() {
        let undone = match &undo {
            // What is not there need not be removed.
            Undo::Request(request) => removed(&context.http, request, &[404]).await,
            Undo::Stranger(request) => removed(&context.http.unsigned(), request, &[403, 404]).await,
            Undo::Table(name) => database::drop_table(context.subject, name).await,
        };
        leftovers.extend(undone.err());
    }
    leftovers
}

async fn removed(http: &Http, request: &Request, also_good: &[u16]) -> Result<(), String> {
    let answer = http.send(request).await?;
    if answer.status < 300 || also_good.contains(&answer.status) {
        return Ok(());
    }
    Err(format!("{} {}: {}", request.method, request.url, answer.describe()))
}
