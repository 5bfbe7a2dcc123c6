//! `custom/packages.txt`: what the custom database's server needs beyond Postgres, and what of it has to be preloaded.

/// Name of the file, relative to the application's folder.
pub const FILE: &str = "custom/packages.txt";

/// What an application needs installed beside the custom database's server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packages {
    debian: Vec<Debian>,
    preload: Vec<String>,
    builds: Vec<String>,
}

/// A line that asks for nothing that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{FILE}:{line}: \"{text}\" names no package")]
pub struct PackagesError {
    /// The line.
    pub line: usize,
    /// Its text.
    pub text: String,
}

/// A Debian package.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Debian {
    /// `postgresql-NN-…`, one for each version of the server: the part after the number.
    OfServer(String),
    /// Any other.
    Plain(String),
}

/// Extensions whose libraries Postgres has to load when it starts: the end of their package's name, and the libraries in
/// the order in which they are loaded. Citus refuses to be anything but the first.
const PRELOADED: &[(&str, &[&str])] = &[
    ("citus", &["citus"]),
    ("timescaledb", &["timescaledb"]),
    ("pg-stat-kcache", &["pg_stat_statements", "pg_stat_kcache"]),
    ("powa", &["pg_stat_statements", "powa"]),
    ("pg-qualstats", &["pg_stat_statements", "pg_qualstats"]),
    ("pg-wait-sampling", &["pg_wait_sampling"]),
    ("pgaudit", &["pgaudit"]),
    ("pgauditlogtofile", &["pgauditlogtofile"]),
    ("pglogical", &["pglogical"]),
    ("squeeze", &["pg_squeeze"]),
    ("set-user", &["set_user"]),
    ("pg-failover-slots", &["pg_failover_slots"]),
    ("pg-hint-plan", &["pg_hint_plan"]),
    ("show-plans", &["pg_show_plans"]),
    ("credcheck", &["credcheck"]),
    ("age", &["age"]),
    ("pgsentinel", &["pg_stat_statements", "pgsentinel"]),
    ("auto-failover", &["pgautofailover"]),
];

/// Extensions whose Debian package is not named after them.
const NAMED_OTHERWISE: &[(&str, &str)] = &[
    ("vector", "pgvector"),
    ("pg_cron", "cron"),
    ("postgis", "postgis-3"),
    ("postgis_raster", "postgis-3"),
    ("postgis_topology", "postgis-3"),
    ("pg_squeeze", "squeeze"),
    ("pg_partman", "partman"),
    ("hll", "hll"),
    ("plpython3u", "plpython3"),
    ("plperlu", "plperl"),
    ("periods", "periods"),
    ("http", "http"),
];

impl Packages {
    /// Reads the lines of `packages.txt`: `PACKAGE`, `preload LIBRARY`, `build FOLDER`, and comments after `#`.
    ///
    /// # Errors
    /// A line that is none of them, with its number.
    pub fn parse(text: &str) -> Result<Self, PackagesError> {
        let mut this = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            match *words.as_slice() {
                [] => {}
                ["preload", library] if is_name(library) => add(&mut this.preload, library.to_owned()),
                // One name, so that nothing outside of the application is reached.
                ["build", folder] if is_name(folder) => add(&mut this.builds, folder.to_owned()),
                [package] if is_package(package) => add(&mut this.debian, Debian::of(package)),
                _ => return Err(PackagesError { line: number + 1, text: line.trim().to_owned() }),
            }
        }
        Ok(this)
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The Debian packages for a server of this version. The number in `postgresql-NN-…` gives way to it: one folder goes
    /// to servers of several versions.
    pub fn debian(&self, major: &str) -> Vec<String> {
        let name = |it: &Debian| match it {
            Debian::OfServer(rest) => format!("postgresql-{major}-{rest}"),
            Debian::Plain(name) => name.clone(),
        };
        self.debian.iter().map(name).collect()
    }

    /// Folders of `custom/` whose `build.sh` installs something of the application's own.
    pub fn builds(&self) -> &[String] {
        &self.builds
    }

    /// Libraries that have to be loaded when the server starts, in their order.
    pub fn preload(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for (package, libraries) in PRELOADED {
            // Debian numbers some of them: postgresql-15-citus-12.1.
            let is_asked_for = |it: &Debian| match it {
                Debian::OfServer(rest) => without_version(rest) == *package,
                Debian::Plain(_) => false,
            };
            if self.debian.iter().any(is_asked_for) {
                libraries.iter().for_each(|it| add(&mut all, (*it).to_owned()));
            }
        }
        self.preload.iter().for_each(|it| add(&mut all, it.clone()));
        all
    }
}

impl Debian {
    fn of(package: &str) -> Self {
        let of_server = package.strip_prefix("postgresql-").and_then(|it| it.split_once('-'));
        match of_server {
            Some((number, rest)) if number.bytes().all(|it| it.is_ascii_digit()) => {
                Self::OfServer(rest.to_owned())
            }
            _ => Self::Plain(package.to_owned()),
        }
    }
}

/// The Debian package that most likely has an extension.
pub(crate) fn package_of(extension: &str, major: Option<u32>) -> String {
    let rest = NAMED_OTHERWISE.iter().find(|(name, _)| *name == extension).map(|(_, package)| *package);
    let rest = rest.map_or_else(|| extension.replace('_', "-"), ToOwned::to_owned);
    let major = major.map_or_else(|| "VERSION".to_owned(), |it| it.to_string());
    format!("postgresql-{major}-{rest}")
}

fn without_version(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((rest, number)) if number.starts_with(|it: char| it.is_ascii_digit()) => rest,
        _ => name,
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// A library's or a folder's name: neither a path nor anything that a shell or a setting would read otherwise.
fn is_name(text: &str) -> bool {
    !text.starts_with(['-', '.'])
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.'))
}

/// As Debian's policy has it, so that none is read as an option of apt-get.
fn is_package(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|it: char| it.is_ascii_lowercase() || it.is_ascii_digit())
        && text
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_follow_the_servers_version() {
        let text = "# similarity\npostgresql-18-pgvector\npostgresql-18-pgvector # twice\n\n  libfoo+1.2\nbuild words\n";
        let packages = Packages::parse(text).unwrap();
        assert_eq!(packages.debian("15"), ["postgresql-15-pgvector", "libfoo+1.2"]);
        assert_eq!(packages.builds(), ["words"]);
        assert!(packages.preload().is_empty() && !packages.is_empty());
        assert!(Packages::parse("\n# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn what_has_to_be_preloaded_is_known_or_said() {
        let text = "postgresql-15-pgaudit\npostgresql-15-pg-stat-kcache\npostgresql-15-citus-12.1\npreload my_lib\n\
                    postgresql-15-powa\npreload pgaudit\n";
        let preload = Packages::parse(text).unwrap().preload();
        assert_eq!(preload, ["citus", "pg_stat_statements", "pg_stat_kcache", "powa", "pgaudit", "my_lib"]);
    }

    #[test]
    fn a_line_that_is_nothing_is_named() {
        for line in [
            "postgresql pgvector",
            "--allow-root",
            "preload ../x",
            "build a/b",
            "Preload x",
            "build ..",
            "a;b",
        ] {
            let error = Packages::parse(&format!("# first\n{line}\n")).unwrap_err();
            assert!(error.to_string().starts_with("custom/packages.txt:2: "), "{error}");
        }
    }

    #[test]
    fn packages_of_extensions_are_named_as_debian_does() {
        assert_eq!(package_of("vector", Some(18)), "postgresql-18-pgvector");
        assert_eq!(package_of("pg_qualstats", None), "postgresql-VERSION-pg-qualstats");
    }
}
