//! Comparison of a stack with reality: started, waited for, read, with what CloudFormation left out.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_cloudformation::{
    Client,
    types::{StackDriftDetectionStatus, StackResourceDriftStatus as Status},
};
use tokio::time::{Instant, sleep};

use aws_session::error::sorted;

use super::convert;
use crate::cloud::{CloudError, CloudResult, DRIFT_DEADLINE, DriftReport};

/// Time between two looks at a comparison that runs.
const POLL: Duration = Duration::from_secs(1);

/// Compares a stack with what is really there.
pub(super) async fn report(client: &Client, stack_id: &str) -> CloudResult<DriftReport> {
    let answer = client.detect_stack_drift().stack_name(stack_id).send().await.map_err(sorted)?;
    let id = answer
        .stack_drift_detection_id
        .ok_or_else(|| CloudError::Refused("drift detection without an id".into()))?;
    wait(client, &id).await?;
    // A type that CloudFormation cannot compare is not among the results.
    let mut unchecked = resources(client, stack_id).await?;
    let mut pages = client.describe_stack_resource_drifts().stack_name(stack_id).into_paginator().send();
    let mut drifts = Vec::new();
    while let Some(page) = pages.next().await {
        for it in page.map_err(sorted)?.stack_resource_drifts() {
            match it.stack_resource_drift_status() {
                Some(Status::Modified | Status::Deleted) => drifts.push(convert::drift(it)),
                Some(Status::InSync) => {}
                _ => continue,
            }
            unchecked.remove(it.logical_resource_id().unwrap_or_default());
        }
    }
    drifts.sort_by(|a, b| a.logical_id.cmp(&b.logical_id));
    Ok(DriftReport { drifts, unchecked: unchecked.into_iter().collect() })
}

async fn resources(client: &Client, stack_id: &str) -> CloudResult<BTreeSet<String>> {
    let mut pages = client.list_stack_resources().stack_name(stack_id).into_paginator().items().send();
    let mut found = BTreeSet::new();
    while let Some(it) = pages.next().await {
        found.extend(it.map_err(sorted)?.logical_resource_id().map(str::to_owned));
    }
    Ok(found)
}

async fn wait(client: &Client, id: &str) -> CloudResult<()> {
    let start = Instant::now();
    loop {
        let call = client.describe_stack_drift_detection_status().stack_drift_detection_id(id);
        let status = call.send().await.map_err(sorted)?;
        match status.detection_status() {
            Some(StackDriftDetectionStatus::DetectionComplete) => return Ok(()),
            Some(StackDriftDetectionStatus::DetectionFailed) => {
                let reason = status.detection_status_reason().unwrap_or("AWS gives no reason");
                return Err(CloudError::Refused(reason.to_owned()));
            }
            _ if start.elapsed() >= DRIFT_DEADLINE => {
                let minutes = DRIFT_DEADLINE.as_secs() / 60;
                return Err(CloudError::Unreachable(format!(
                    "the comparison {id} has not ended after {minutes} minutes"
                )));
            }
            _ => sleep(POLL).await,
        }
    }
}
