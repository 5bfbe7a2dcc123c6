//! What to install where, as commands to copy.

/// How to get a Postgres server with pg_cron, per system.
pub fn server_commands() -> String {
    [
        "  Debian/Ubuntu:  sudo apt-get install postgresql postgresql-contrib   (scheduled jobs: postgresql-NN-cron)",
        "  Fedora:         sudo dnf install postgresql-server postgresql-contrib   (scheduled jobs: pg_cron_NN from yum.postgresql.org)",
        "  macOS:          brew install postgresql@17   (scheduled jobs: brew install pg_cron)",
    ]
    .join("\n")
}

/// How to get pg_cron for a server that is there already, per system.
pub fn pg_cron_commands(major: u32) -> String {
    [
        format!("  Debian/Ubuntu:  sudo apt-get install postgresql-{major}-cron"),
        format!("  Fedora:         sudo dnf install pg_cron_{major}   (package source: yum.postgresql.org)"),
        "  macOS:          brew install pg_cron".to_owned(),
    ]
    .join("\n")
}

/// How to get a Docker engine with compose, per system.
pub fn docker_commands() -> String {
    [
        "  Debian/Ubuntu:  sudo apt-get install docker.io docker-compose && sudo systemctl start docker",
        "  Fedora:         sudo dnf install moby-engine docker-compose && sudo systemctl start docker",
        "  macOS:          brew install --cask docker && open -a Docker",
    ]
    .join("\n")
}
