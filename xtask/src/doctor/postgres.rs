//! Postgres server programs and the extensions that the databases use.

use local_stack::pgbin::{SearchPath, ServerBinaries};

use super::finding::{Finding, Fix, Level, Purpose};

/// How to install server binaries, by platform.
pub(crate) const INSTALL: &str = "Debian/Ubuntu: sudo apt-get install postgresql postgresql-contrib\n\
     Fedora:        sudo dnf install postgresql-server postgresql-contrib\n\
     macOS:         brew install postgresql@17";

/// The oldest major version that the stack runs on.
const OLDEST: u32 = 15;

/// Major version of the server binaries that tests will use.
pub(crate) fn major() -> Option<u32> {
    ServerBinaries::find(&SearchPath::from_env(), None).ok().flatten().map(|it| it.major)
}

/// Server binaries of every major version at hand: first the one that tests use, then the others, newest first.
pub(crate) fn servers() -> Vec<ServerBinaries> {
    let search = SearchPath::from_env();
    let Some(first) = ServerBinaries::find(&search, None).ok().flatten() else { return Vec::new() };
    let more = std::env::var_os("PGAPP_PG_BIN_DIRS").unwrap_or_default();
    let others = ServerBinaries::of_other_majors(&search, &more, first.major);
    std::iter::once(first).chain(others.into_iter().filter(|it| it.major >= OLDEST)).collect()
}

/// The one whose major version is farthest from that of the server that tests use; `None` where there is no other.
pub(crate) fn farthest() -> Option<ServerBinaries> {
    let mut servers = servers().into_iter();
    let first = servers.next()?;
    servers.max_by_key(|it| it.major.abs_diff(first.major))
}

/// Whether the gate finds another major version to run the tests over that need a database.
fn other_major() -> Finding {
    let what = "another Postgres";
    match farthest() {
        Some(it) => {
            let found = format!(
                "{} in {}; `ci` runs the tests over a database there too",
                it.version,
                it.dir.display()
            );
            Finding::ok(Purpose::Checks, what, found)
        }
        None => {
            let found = "none; `ci` runs the tests over a database on one major version only";
            let fix =
                "Install a second major version, or name the folder of its programs in PGAPP_PG_BIN_DIRS.";
            Finding::new(Purpose::Checks, Level::Note, what, found.to_owned())
                .fix(Fix::everywhere(fix.to_owned()))
        }
    }
}

/// The server and its extensions.
pub(super) fn server() -> Vec<Finding> {
    let what = "Postgres server";
    let server = match ServerBinaries::find(&SearchPath::from_env(), None) {
        Ok(Some(server)) => server,
        Ok(None) => {
            let fix = Fix::by_platform(
                "sudo apt-get install postgresql postgresql-contrib",
                "sudo dnf install postgresql-server postgresql-contrib",
                "brew install postgresql@17",
            );
            return vec![
                Finding::new(Purpose::Up, Level::Problem, what, "no server binaries found").fix(fix),
            ];
        }
        Err(error) => {
            let fix = format!("Unset PG_BIN_DIR, or point it at a server of version {OLDEST} or newer.");
            return vec![
                Finding::new(Purpose::Up, Level::Problem, what, error.to_string()).fix(Fix::everywhere(fix)),
            ];
        }
    };
    let found = format!("{} in {} (from {})", server.version, server.dir.display(), server.found_by);
    vec![Finding::ok(Purpose::Up, what, found), fdw(&server), cron(&server), other_major()]
}

fn fdw(server: &ServerBinaries) -> Finding {
    let what = "postgres_fdw";
    if server.has_extension("postgres_fdw") {
        return Finding::ok(Purpose::Up, what, "installed; joins the custom database to the origin");
    }
    let fix = Fix::by_platform(
        "sudo apt-get install postgresql-contrib",
        "sudo dnf install postgresql-contrib",
        "brew reinstall postgresql@17 (the formula has it)",
    );
    Finding::new(Purpose::Up, Level::Problem, what, format!("not installed for Postgres {}", server.major))
        .fix(fix)
}

fn cron(server: &ServerBinaries) -> Finding {
    let what = "pg_cron";
    if server.has_extension("pg_cron") {
        return Finding::ok(Purpose::Up, what, "installed; preloaded in the custom database");
    }
    let major = server.major;
    let found = format!("not installed for Postgres {major}; scheduled jobs are not available natively");
    let fix = Fix::by_platform(
        format!("sudo apt-get install postgresql-{major}-cron"),
        format!("sudo dnf install pg_cron_{major}"),
        "build it from https://github.com/citusdata/pg_cron, or use --backend docker",
    );
    Finding::new(Purpose::Up, Level::Note, what, found).fix(fix)
}
