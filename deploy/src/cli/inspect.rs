//! Commands that only look.

use std::time::{SystemTime, UNIX_EPOCH};

use deploy::{
    chart,
    cloud::{Cloud, StackInfo, aws::Aws},
    console,
    render::text,
};
use infra_cfn::Stack;
use serde_json::{Map, Value, json};

use super::{Look, print};

/// The deployed ones among the stacks that are wanted.
async fn deployed(look: &Look, cloud: &Aws) -> anyhow::Result<Vec<(Stack, StackInfo)>> {
    let mut found = Vec::new();
    for stack in look.wanted_or_all() {
        if let Some(info) = cloud.stack(&stack.stack_name(&look.prefix)).await? {
            found.push((stack, info));
        }
    }
    Ok(found)
}

pub(super) async fn outputs(look: &Look) -> anyhow::Result<u8> {
    let cloud = Aws::connect().await?;
    let found = deployed(look, &cloud).await?;
    if look.json {
        let of = |info: &StackInfo| -> Map<String, Value> {
            info.outputs.iter().map(|it| (it.key.clone(), Value::from(it.value.clone()))).collect()
        };
        let all: Map<String, Value> =
            found.iter().map(|(stack, info)| (stack.name().to_owned(), of(info).into())).collect();
        print(&serde_json::to_string_pretty(&all)?)?;
    } else {
        for line in found.iter().flat_map(|(stack, info)| text::outputs(stack.name(), &info.outputs)) {
            print(&line)?;
        }
    }
    Ok(0)
}

pub(super) async fn stacks(look: &Look) -> anyhow::Result<u8> {
    let cloud = Aws::connect().await?;
    let mut found = cloud.stacks(&format!("{}-", look.prefix)).await?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if look.json {
        let one = |it: &StackInfo| {
            json!({
                "name": it.name,
                "status": it.status.name(),
                "meaning": it.status.meaning(),
                "protected": it.termination_protection,
                "changed": seconds(it.updated.or(it.created)),
                "console": console::stack(cloud.region(), &it.id),
            })
        };
        print(&serde_json::to_string_pretty(&found.iter().map(one).collect::<Vec<_>>())?)?;
        return Ok(0);
    }
    let width = found.iter().map(|it| it.name.len()).max().unwrap_or_default();
    for it in &found {
        let protected = if it.termination_protection { " (protected)" } else { "" };
        print(&format!("{:width$} {}{protected}", it.name, text::status(it.status)))?;
    }
    Ok(0)
}

fn seconds(time: Option<SystemTime>) -> Option<u64> {
    time.and_then(|it| it.duration_since(UNIX_EPOCH).ok()).map(|it| it.as_secs())
}

pub(super) async fn events(look: &Look) -> anyhow::Result<u8> {
    look.wanted()?;
    let cloud = Aws::connect().await?;
    for (stack, info) in deployed(look, &cloud).await? {
        let events = cloud.events(&info.id, None).await?;
        if look.json {
            for it in &events {
                let time = it.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                let line = json!({
                    "stack": stack.name(), "time": time, "logical_id": it.logical_id, "kind": it.kind,
                    "status": it.status, "reason": it.reason,
                });
                print(&line.to_string())?;
            }
            continue;
        }
        print(&format!("{} {}", info.name, text::status(info.status)))?;
        for line in chart::lines(&chart::spans(&events)) {
            print(&format!("  {line}"))?;
        }
        for it in events.iter().filter(|it| it.status.ends_with("_FAILED")) {
            print(&format!(
                "  {} {} {}",
                it.logical_id,
                it.status,
                it.reason.as_deref().unwrap_or_default()
            ))?;
        }
    }
    Ok(0)
}

pub(super) async fn template(look: &Look, from_stack: bool) -> anyhow::Result<u8> {
    let wanted = look.wanted()?;
    if !from_stack {
        wanted.iter().try_for_each(|it| print(it.template_text().trim_end()))?;
        return Ok(0);
    }
    let cloud = Aws::connect().await?;
    for stack in wanted {
        print(cloud.template(&stack.stack_name(&look.prefix)).await?.trim_end())?;
    }
    Ok(0)
}
