//! Names that no test needs to have, each with the reason. The list only gets shorter.

/// A name, and why no test names it.
pub(super) const EXCEPTIONS: &[(&str, &str)] = &[
    ("app.settings.*", "stands for any name; tests set app.settings.NAME"),
    // Errors that no request can bring about.
    ("PGRSTX00", "an answer that a server never gives; it marks a fault of ours"),
    ("42P17", "Postgres' own code; the table of statuses is tested by its classes"),
    // Read by clap, used by commands that only run against an account.
    ("--deadline", "a flag of the engine, whose tests set the field of its settings"),
    ("--express", "a flag of the engine, whose tests set the field of its settings"),
    ("--new-host-image", "a flag of the engine, whose tests set the field of its settings"),
    ("--revert-drift", "a flag of the engine, whose tests set the field of its settings"),
    ("--if-wanted", "used by the pipeline; a test of the workflow reads the whole line"),
    (
        "--assume-new",
        "asked by a pipeline of a new account only; its effect is tested without the command line",
    ),
    ("--seed", "a flag of bootstrap, which needs an account; seeding is tested by app-folder"),
    ("--instance", "a name for AWS, handed on as it is to Session Manager"),
    // Values that the configuration hands to one attribute as they are; `terraform validate` checks their types.
    ("alarm_latency_threshold_ms", "handed to one attribute of the alarm as it is"),
    ("api_cache_size_gb", "handed to one attribute of the stage as it is"),
    ("api_cache_ttl_seconds", "handed to one attribute of the stage as it is"),
    ("api_throttling_burst_limit", "handed to one attribute of the stage as it is"),
    ("api_throttling_rate_limit", "handed to one attribute of the stage as it is"),
    ("backup_daily_retention_days", "handed to one attribute of the plan as it is"),
    ("backup_monthly_retention_days", "handed to one attribute of the plan as it is"),
    ("backup_vault_lock_enabled", "tested as lock_enabled in the module's own tests"),
    ("bastion_instance_type", "handed to one attribute of the instance as it is"),
    ("database_apply_immediately", "handed to one attribute of the cluster as it is"),
    ("lambda_log_level", "handed to one variable of the function as it is"),
    ("lambda_timeout_seconds", "handed to one attribute of the function as it is"),
    ("vpc_cidr_block", "tested as cidr_block in the module's own tests"),
    ("waf_count_only", "tested as count_only in the module's own tests"),
    ("waf_rate_limit", "tested as rate_limit in the module's own tests"),
];
