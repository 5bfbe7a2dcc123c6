//! The order of rooms of every crate, and the arrows that do not hold to it yet.

/// The rooms of a crate: the modules of its root.
pub(super) struct Rooms {
    /// The crate's folder.
    pub(super) folder: &'static str,
    /// Its rooms, lowest first: each may use those before it.
    pub(super) order: &'static [&'static str],
}

/// The crates.
pub(super) const CRATES: &[Rooms] = &[
    Rooms {
        folder: "api",
        order: &[
            "version", "framing", "kept", "departure", "media_type", "error", "schema_cache", "config",
            "observability", "auth", "api_request", "plan", "spool", "sql", "execute", "openapi", "response",
            "snapshot", "state", "pipeline", "server", "admin", "app", "animals", "lambda", "cli",
        ],
    },
    Rooms {
        folder: "bootstrap-sql",
        order: &[
            "target", "bundle", "quote", "secret", "vars", "template", "error", "confidential", "event",
            "database", "lock", "ledger", "runner", "fdw",
        ],
    },
    Rooms {
        folder: "deploy",
        order: &[
            "status", "cloud", "failure", "event", "inputs", "schedule", "render", "user", "console",
            "engine", "tls", "chart", "tunnel", "remote", "login", "verify", "verify_main", "cli",
        ],
    },
    Rooms {
        folder: "e2e",
        order: &[
            "programs", "python", "container", "backends", "api_server",
        ],
    },
    Rooms {
        folder: "infra-cfn",
        order: &[
            "intrinsic", "yaml", "write", "template", "reference", "graph", "password", "params", "resolve",
            "capabilities", "extract", "catalog", "variants", "facts", "update", "contract",
        ],
    },
    Rooms {
        folder: "local-stack",
        order: &[
            "install", "account", "process", "service", "config", "state", "event", "pgbin", "cluster",
            "error", "driver", "database", "probe", "animals", "ports", "native", "logs", "download",
            "docker", "bootstrap", "served", "stack", "up", "testing",
        ],
    },
    Rooms {
        folder: "xtask",
        order: &[
            "workspace", "output", "python", "forward", "tidy", "tf", "lambda", "cli", "publish", "local",
            "doctor", "bench", "test", "ci", "codegen",
        ],
    },
];

/// Arrows, from file to file, that lead up or close a circle and are to be removed. The list only gets shorter.
pub(super) const EXCEPTIONS: &[(&str, &str)] = &[
    ("api/src/api_request/csv.rs", "api/src/api_request/payload.rs"),
    ("api/src/api_request/payload/outline.rs", "api/src/sql/json_body.rs"),
    ("api/src/api_request/query/name.rs", "api/src/api_request/query/json_path.rs"),
    ("api/src/auth.rs", "api/src/state/basis.rs"),
    ("api/src/config.rs", "api/src/auth/keys.rs"),
    ("api/src/config.rs", "api/src/auth/role_claim.rs"),
    ("api/src/config/keys.rs", "api/src/auth/role_claim.rs"),
    ("api/src/config/keys.rs", "api/src/config/dump.rs"),
    ("api/src/config/load.rs", "api/src/auth/keys.rs"),
    ("api/src/error.rs", "api/src/schema_cache/relationship.rs"),
    ("api/src/error.rs", "api/src/schema_cache/routine.rs"),
    ("api/src/error/http.rs", "api/src/config.rs"),
    ("api/src/error/http.rs", "api/src/response.rs"),
    ("api/src/error/plus.rs", "api/src/api_request/query/pairs.rs"),
    ("api/src/error/schema_cache.rs", "api/src/error/http.rs"),
    ("api/src/error/schema_cache.rs", "api/src/schema_cache/relationship.rs"),
    ("api/src/error/schema_cache.rs", "api/src/schema_cache/routine.rs"),
    ("api/src/execute/iam.rs", "api/src/execute/credentials.rs"),
    ("api/src/execute/session/landing.rs", "api/src/execute/session/flight.rs"),
    ("api/src/observability.rs", "api/src/execute/pool.rs"),
    ("api/src/observability/metrics.rs", "api/src/execute/pool.rs"),
    ("api/src/observability/observation.rs", "api/src/sql/types.rs"),
    ("api/src/pipeline/body.rs", "api/src/server/receiving.rs"),
    ("api/src/schema_cache/load.rs", "api/src/config.rs"),
    ("api/src/schema_cache/load/view_keys.rs", "api/src/schema_cache/load/tables.rs"),
    ("api/src/server/sending.rs", "api/src/server/connections.rs"),
    ("api/src/sql/body.rs", "api/src/sql/rows.rs"),
    ("api/src/sql/rows.rs", "api/src/sql/main_statement.rs"),
    ("api/src/sql/rows.rs", "api/src/sql/mutate.rs"),
    ("api/src/sql/types.rs", "api/src/sql/rows.rs"),
    ("api/src/sql/types.rs", "api/src/sql/values.rs"),
    ("api/src/sql/values.rs", "api/src/sql/main_statement.rs"),
    ("api/src/sql/values.rs", "api/src/sql/mutate.rs"),
    ("api/src/state.rs", "api/src/pipeline/bodies.rs"),
    ("api/src/state/basis.rs", "api/src/pipeline/plans.rs"),
    ("bootstrap-sql/src/fdw/defaults.rs", "bootstrap-sql/src/fdw/import.rs"),
    ("bootstrap-sql/src/fdw/types.rs", "bootstrap-sql/src/fdw/import.rs"),
    ("deploy/src/cloud/aws.rs", "deploy/src/login.rs"),
    ("deploy/src/remote/error.rs", "deploy/src/remote/authorities.rs"),
    ("local-stack/src/config.rs", "local-stack/src/animals.rs"),
    ("local-stack/src/logs.rs", "local-stack/src/docker/engine.rs"),
    ("local-stack/src/stack.rs", "local-stack/src/up.rs"),
    ("local-stack/src/testing/native.rs", "local-stack/src/testing/cluster.rs"),
    ("xtask/src/publish/docker.rs", "xtask/src/publish/bases.rs"),
    ("xtask/src/publish/docker.rs", "xtask/src/publish/labels.rs"),
];
