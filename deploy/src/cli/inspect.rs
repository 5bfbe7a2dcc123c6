//! Commands that only look.

use std::{
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use deploy::{
    chart,
    cloud::{Cloud, Since, StackInfo, aws::Aws},
    console, engine,
    event::{hide, timestamp},
    render::text,
};
use infra_cfn::Stack;
use serde_json::{Map, Value, json};

use super::{
    flags::{Format, Home, Target},
    print, select,
};

/// The deployed ones among the stacks that are wanted.
async fn deployed(target: &Target, cloud: &Aws) -> anyhow::Result<Vec<(Stack, StackInfo)>> {
    let mut found = Vec::new();
    for stack in target.wanted_or_all() {
        if let Some(info) = cloud.stack(&stack.stack_name(&target.home.prefix)).await? {
            found.push((stack, info));
        }
    }
    Ok(found)
}

async fn connect(home: &Home) -> anyhow::Result<Aws> {
    Ok(Aws::connect_as(&home.choice()).await?)
}

/// The hidden values of the parameter files. A file that cannot be read hides nothing and stops nobody from looking.
fn secrets(target: &Target) -> anyhow::Result<Vec<String>> {
    let dir = target.home.params_dir()?;
    let specs = Stack::ALL.into_iter().map(|it| {
        let path = dir.join(format!("{it}.json"));
        target.home.spec(it, &path, select::read_values(&path).unwrap_or_default(), &[])
    });
    Ok(engine::secrets_of(&specs.collect::<Result<Vec<_>, _>>()?))
}

pub(super) async fn outputs(target: &Target, format: Format) -> anyhow::Result<u8> {
    let cloud = connect(&target.home).await?;
    let found = deployed(target, &cloud).await?;
    if format.json {
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

pub(super) async fn stacks(target: &Target, format: Format) -> anyhow::Result<u8> {
    let cloud = connect(&target.home).await?;
    let mut found = cloud.stacks(&format!("{}-", target.home.prefix)).await?;
    // Another installation's prefix may begin with this one.
    let names: Vec<String> =
        target.wanted_or_all().into_iter().map(|it| it.stack_name(&target.home.prefix)).collect();
    found.retain(|it| names.contains(&it.name));
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if format.json {
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

pub(super) async fn events(target: &Target, format: Format) -> anyhow::Result<u8> {
    let wanted = target.wanted()?;
    let secrets = secrets(target)?;
    let cloud = connect(&target.home).await?;
    for stack in wanted {
        let name = stack.stack_name(&target.home.prefix);
        let info = match cloud.stack(&name).await? {
            Some(info) => Some(info),
            None => cloud.deleted_stack(&name).await?,
        };
        let Some(info) = info else {
            writeln!(anstream::stderr(), "{name} does not exist").context("write to stderr")?;
            continue;
        };
        let mut events = cloud.events(&info.id, Since::Event(None)).await?;
        for it in &mut events {
            it.reason.iter_mut().for_each(|it| hide(it, &secrets));
            hide(&mut it.physical_id, &secrets);
        }
        if format.json {
            for it in &events {
                let line = json!({
                    "stack": stack.name(), "time": timestamp(it.time), "logical_id": it.logical_id,
                    "physical_id": it.physical_id, "kind": it.kind, "status": it.status, "reason": it.reason,
                });
                print(&line.to_string())?;
            }
            continue;
        }
        print(&format!("{} {}", info.name, text::status(info.status)))?;
        for line in chart::lines(&chart::spans(&events, &info.id)) {
            print(&format!("  {line}"))?;
        }
        let begin =
            events.iter().rposition(|it| deploy::failure::begins_operation(it, &info.id)).unwrap_or(0);
        for it in events[begin..].iter().filter(|it| it.status.ends_with("_FAILED")) {
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

pub(super) async fn template(target: &Target, from_stack: bool) -> anyhow::Result<u8> {
    let wanted = target.wanted()?;
    if !from_stack {
        wanted.iter().try_for_each(|it| print(it.template_text().trim_end()))?;
        return Ok(0);
    }
    let cloud = connect(&target.home).await?;
    for stack in wanted {
        print(cloud.template(&stack.stack_name(&target.home.prefix)).await?.trim_end())?;
    }
    Ok(0)
}
