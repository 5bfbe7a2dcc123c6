//! Commands that only look.

use std::{
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use deploy::{
    catalog::Definition,
    chart,
    cloud::{Cloud, Since, StackInfo, aws::Aws},
    console, engine,
    event::{hide, timestamp},
    render::text,
};
use serde_json::{Map, Value, json};

use super::{
    flags::{Format, Target},
    nested::{self, Leaf},
    print,
    select::{self, House},
};

/// The deployed ones among the stacks that are wanted.
async fn deployed<'h>(
    house: &'h House<'_>,
    target: &Target,
    cloud: &Aws,
) -> anyhow::Result<Vec<(&'h Definition, StackInfo)>> {
    let mut found = Vec::new();
    for stack in house.wanted_or_all(target)? {
        if let Some(info) = cloud.stack(&stack.stack_name).await? {
            found.push((stack, info));
        }
    }
    Ok(found)
}

/// The hidden values of the parameter files. A file that cannot be read hides nothing and stops nobody from looking.
fn secrets(house: &House<'_>) -> anyhow::Result<Vec<String>> {
    let dir = house.params_dir()?;
    let specs = house.catalog.stacks.iter().filter_map(|it| {
        let path = house.params_path(it, &dir);
        house.spec(it, &path, select::read_values(&path).unwrap_or_default(), &[]).ok()
    });
    Ok(engine::secrets_of(&specs.collect::<Vec<_>>()))
}

/// A line of a `.env` file: a name that every shell takes, and the value in quotes that no shell looks into.
fn env_line(stack: &str, key: &str, value: &str) -> String {
    let mut name = String::new();
    let mut before = '_';
    for it in format!("{stack}_{key}").chars() {
        if it.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            name.push('_');
        }
        name.push(if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' });
        before = it;
    }
    if name.starts_with(|it: char| it.is_ascii_digit()) {
        name.insert(0, '_');
    }
    format!("{name}='{}'", value.replace('\'', "'\\''"))
}

pub(super) async fn outputs(target: &Target, format: Format, env: bool) -> anyhow::Result<u8> {
    let house = target.home.open()?;
    let cloud = house.connect().await?;
    let found = deployed(&house, target, &cloud).await?;
    if env {
        for (stack, info) in &found {
            info.outputs.iter().try_for_each(|it| print(&env_line(&stack.name, &it.key, &it.value)))?;
        }
    } else if format.json {
        let of = |info: &StackInfo| -> Map<String, Value> {
            info.outputs.iter().map(|it| (it.key.clone(), Value::from(it.value.clone()))).collect()
        };
        let all: Map<String, Value> =
            found.iter().map(|(stack, info)| (stack.name.clone(), of(info).into())).collect();
        print(&serde_json::to_string_pretty(&all)?)?;
    } else {
        for line in found.iter().flat_map(|(stack, info)| text::outputs(&stack.name, &info.outputs)) {
            print(&line)?;
        }
    }
    Ok(0)
}

pub(super) async fn stacks(target: &Target, format: Format) -> anyhow::Result<u8> {
    let house = target.home.open()?;
    let cloud = house.connect().await?;
    // By the whole name: another installation's prefix may begin with this one. Nested stacks have names of their own.
    let wanted = house.wanted_or_all(target)?;
    let names: Vec<&str> = wanted.iter().map(|it| it.stack_name.as_str()).collect();
    let all = cloud.stacks("").await?;
    let found = nested::tree(&all, &names);
    if format.json {
        let one = |leaf: &Leaf<'_>| {
            let it = leaf.stack;
            json!({
                "depth": leaf.depth,
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
    let named = |it: &Leaf<'_>| format!("{:1$}{2}", "", 2 * it.depth, it.stack.name);
    let width = found.iter().map(|it| named(it).len()).max().unwrap_or_default();
    for it in &found {
        let protected = if it.stack.termination_protection { " (protected)" } else { "" };
        print(&format!("{:width$} {}{protected}", named(it), text::status(it.stack.status)))?;
    }
    Ok(0)
}

fn seconds(time: Option<SystemTime>) -> Option<u64> {
    time.and_then(|it| it.duration_since(UNIX_EPOCH).ok()).map(|it| it.as_secs())
}

pub(super) async fn events(target: &Target, format: Format) -> anyhow::Result<u8> {
    let house = target.home.open()?;
    let wanted = house.wanted(target)?;
    let secrets = secrets(&house)?;
    let cloud = house.connect().await?;
    for stack in wanted {
        let name = &stack.stack_name;
        let info = match cloud.stack(name).await? {
            Some(info) => Some(info),
            None => cloud.deleted_stack(name).await?,
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
                    "stack": stack.name, "time": timestamp(it.time), "logical_id": it.logical_id,
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
    let house = target.home.open()?;
    let wanted = house.wanted(target)?;
    if !from_stack {
        wanted.iter().try_for_each(|it| print(it.text.trim_end()))?;
        return Ok(0);
    }
    let cloud = house.connect().await?;
    for stack in wanted {
        print(cloud.template(&stack.stack_name).await?.trim_end())?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_become_names_and_values_that_a_shell_takes() {
        assert_eq!(env_line("vpc", "VpcId", "vpc-1"), "VPC_VPC_ID='vpc-1'");
        assert_eq!(env_line("my-shop", "URL", "it's $HOME"), "MY_SHOP_URL='it'\\''s $HOME'");
        assert_eq!(env_line("2x", "ApiURL2Host", ""), "_2X_API_URL2_HOST=''");
    }
}
