//! The promise that AWS takes what is made: sizes, names at their longest, values that an engine knows, actions that exist.
//!
//! Looked at in every variant of a template, since most of it would fail late, in the middle of a deployment.

use std::collections::BTreeSet;

use fancy_regex::Regex;

use super::{Report, Rule, Subject};
use crate::{
    extract::Policy,
    facts::{self, Limits, facts},
    resolve::MARK,
};

pub(super) const NAMES_FIT: Rule = Rule {
    code: "CFN701",
    title: "every name and text fits its service, also with the longest prefix",
    check: names_fit,
};

fn names_fit(subject: &Subject<'_>, report: &mut Report<'_>) {
    let mut told = BTreeSet::new();
    for each in &subject.uses {
        for (name, resource) in &each.resources {
            let Some(described) = facts().of(&resource.kind) else { continue };
            facts::for_each_text(&resource.properties, &mut |path, text| {
                // What only a deployment knows has a length of its own.
                if text.contains(MARK)
                    || text.contains("{{resolve:")
                    || !told.insert((name.clone(), path.to_owned()))
                {
                    return;
                }
                let why = described.limits.get(path).and_then(|it| breaks(it, text));
                if let Some(why) = why {
                    report.add(
                        resource.place.line,
                        format!(
                            "{path} of resource \"{name}\" {why} when names are at their longest: \"{}\"",
                            shown(text)
                        ),
                    );
                } else {
                    told.remove(&(name.clone(), path.to_owned()));
                }
            });
        }
    }
}

fn breaks(limits: &Limits, text: &str) -> Option<String> {
    let n_chars = text.chars().count();
    if let Some(least) = limits.min_length.filter(|it| n_chars < *it) {
        return Some(format!("has {n_chars} characters, at least {least} are needed"));
    }
    if let Some(most) = limits.max_length.filter(|it| n_chars > *it) {
        return Some(format!("has {n_chars} characters, at most {most} are taken"));
    }
    let pattern = limits.pattern.as_ref()?;
    // A pattern that this crate cannot read is cfn-lint's to check.
    let fits = Regex::new(pattern).ok()?.is_match(text).unwrap_or(true);
    (!fits).then(|| format!("does not match {pattern}"))
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

pub(super) const POLICIES_FIT: Rule = Rule {
    code: "CFN702",
    title: "every policy fits IAM, rendered with the longest names",
    check: policies_fit,
};

/// Most characters without white space
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>): a managed policy, the inline policies of
/// a role, a user and a group together, and a trust policy.
const MANAGED: usize = 6_144;
const INLINE: &[(&str, usize)] =
    &[("AWS::IAM::Role", 10_240), ("AWS::IAM::User", 2_048), ("AWS::IAM::Group", 5_120)];
const TRUST: usize = 2_048;

fn policies_fit(subject: &Subject<'_>, report: &mut Report<'_>) {
    let mut told = BTreeSet::new();
    for each in &subject.uses {
        for (name, resource) in &each.resources {
            let of = |is: fn(&Policy) -> bool| -> usize {
                let own = each.policies.iter().filter(|it| it.logical_id == *name && is(it));
                own.map(|it| it.document.to_string().chars().filter(|it| *it != MARK).count()).sum()
            };
            let is_managed = resource.kind == "AWS::IAM::ManagedPolicy";
            let inline = INLINE.iter().find(|(kind, _)| *kind == resource.kind).map(|(_, most)| *most);
            let sizes = [
                ("policy", of(|it| it.name == "policy"), is_managed.then_some(MANAGED)),
                ("inline policies", of(|it| !it.is_resource_policy && it.name != "policy"), inline),
                ("trust policy", of(|it| it.name == "trust"), Some(TRUST)),
            ];
            for (what, n_chars, most) in sizes {
                if let Some(most) = most.filter(|it| n_chars > *it)
                    && told.insert((name.clone(), what))
                {
                    report.add(
                        resource.place.line,
                        format!(
                            "the {what} of resource \"{name}\" have {n_chars} characters, IAM takes {most}"
                        ),
                    );
                }
            }
        }
    }
}

pub(super) const ACTIONS_EXIST: Rule =
    Rule { code: "CFN703", title: "every action in a policy exists", check: actions_exist };

fn actions_exist(subject: &Subject<'_>, report: &mut Report<'_>) {
    let mut told = BTreeSet::new();
    for each in &subject.uses {
        for policy in &each.policies {
            let line = subject.template.line_of(&policy.logical_id).unwrap_or(1);
            for action in facts::actions(&policy.document) {
                if !facts().has_action(&action) && told.insert(action.clone()) {
                    report.add(
                        line,
                        format!(
                            "policy \"{}\" of resource \"{}\" names \"{action}\", which AWS does not list; after a new action run `cargo xtask codegen`",
                            policy.name, policy.logical_id
                        ),
                    );
                }
            }
        }
    }
}

pub(super) const USER_DATA_FITS: Rule = Rule {
    code: "CFN704",
    title: "the start script of a host fits into its user data",
    check: user_data_fits,
};

/// Bytes of user data before they are encoded
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html>).
const USER_DATA: usize = 16_384;

fn user_data_fits(subject: &Subject<'_>, report: &mut Report<'_>) {
    let mut told = BTreeSet::new();
    for each in &subject.uses {
        for script in &each.scripts {
            let n_bytes = script.text.replace(MARK, "").len();
            if n_bytes > USER_DATA && told.insert(script.logical_id.clone()) {
                let line = subject.template.line_of(&script.logical_id).unwrap_or(1);
                report.add(
                    line,
                    format!(
                        "the user data of resource \"{}\" has {n_bytes} bytes, EC2 takes {USER_DATA}",
                        script.logical_id
                    ),
                );
            }
        }
    }
}

pub(super) const SETTINGS_KNOWN: Rule = Rule {
    code: "CFN705",
    title: "every setting of a parameter group has a value that each engine version on offer knows",
    check: settings_known,
};

/// What a setting of Postgres takes.
enum Takes {
    Boolean,
    Integer(i64, i64),
    OneOf(&'static [&'static str]),
    /// Words, separated by commas.
    Words(&'static [&'static str]),
}

/// Settings by name, with the first major version for which the row holds; the last row that fits counts.
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html>,
/// <https://www.postgresql.org/docs/18/runtime-config-logging.html>)
const SETTINGS: &[(&str, u32, Takes)] = &[
    ("rds.force_ssl", 0, Takes::Boolean),
    (
        "shared_preload_libraries",
        0,
        Takes::Words(&["auto_explain", "pg_cron", "pg_hint_plan", "pg_stat_statements", "pgaudit"]),
    ),
    ("pg_stat_statements.track", 0, Takes::OneOf(&["none", "top", "all"])),
    ("log_min_duration_statement", 0, Takes::Integer(-1, 2_147_483_647)),
    ("log_connections", 0, Takes::Boolean),
    (
        "log_connections",
        18,
        Takes::Words(&["receipt", "authentication", "authorization", "setup_durations", "all"]),
    ),
    ("log_disconnections", 0, Takes::Boolean),
    ("log_lock_waits", 0, Takes::Boolean),
    ("log_statement", 0, Takes::OneOf(&["none", "ddl", "mod", "all"])),
];

fn settings_known(subject: &Subject<'_>, report: &mut Report<'_>) {
    let mut told = BTreeSet::new();
    for each in &subject.uses {
        for (name, resource) in &each.resources {
            if resource.kind != "AWS::RDS::DBParameterGroup" {
                continue;
            }
            let family = resource.properties["Family"].as_str().unwrap_or_default();
            let major = family.trim_start_matches(|it: char| !it.is_ascii_digit()).parse().unwrap_or(0);
            for (setting, value) in resource.properties["Parameters"].as_object().into_iter().flatten() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let known = SETTINGS.iter().rev().find(|(it, from, _)| it == setting && *from <= major);
                let problem = match known {
                    None => Some("is not known here; say what it takes".to_owned()),
                    Some((_, _, takes)) => {
                        refuses(takes, &value).map(|it| format!("is \"{value}\", and {family} takes {it}"))
                    }
                };
                if let Some(problem) = problem
                    && told.insert((setting.clone(), family.to_owned()))
                {
                    report.add(
                        resource.place.line,
                        format!("setting \"{setting}\" of resource \"{name}\" {problem}"),
                    );
                }
            }
        }
    }
}

/// What would be taken, when the value is not.
fn refuses(takes: &Takes, value: &str) -> Option<String> {
    match takes {
        Takes::Boolean => (!["0", "1"].contains(&value)).then(|| "0 or 1".to_owned()),
        Takes::Integer(least, most) => {
            let fits = value.parse::<i64>().is_ok_and(|it| (*least..=*most).contains(&it));
            (!fits).then(|| format!("a number from {least} to {most}"))
        }
        Takes::OneOf(words) => (!words.contains(&value)).then(|| format!("one of {}", words.join(", "))),
        Takes::Words(words) => {
            let fits = value.split(',').all(|it| words.contains(&it));
            (!fits).then(|| format!("words among {}", words.join(", ")))
        }
    }
}
