//! Names that look like settings and are none: each is a line of somebody's configuration that does nothing.

use super::UnknownSetting;
use super::keys::{self, Key, OWN};

/// Settings for tests of slow catalogs, which are in no table.
const INTERNAL: [&str; 2] =
    ["internal-schema-cache-query-sleep-before-queries", "internal-schema-cache-query-sleep"];

/// Finds them among the names in the file and in the environment, sorted.
///
/// The environment holds what is nobody's setting too (`PGAPP_PYTHON`, what a container engine adds). So a variable
/// that begins with `PGAPP_` is told of only where it nearly is a setting.
pub(super) fn find<'a>(
    file: impl Iterator<Item = &'a String>,
    environment: impl Iterator<Item = &'a String>,
) -> Vec<UnknownSetting> {
    let known = || keys::all().flat_map(|key| key.aliases.iter().copied().chain([key.name])).chain(INTERNAL);
    let in_file =
        file.filter(|it| !it.starts_with("app.settings.") && !known().any(|name| name == *it)).map(|name| {
            UnknownSetting {
                name: name.clone(),
                place: "configuration file",
                meant: closest(name, known()).map(str::to_owned),
            }
        });
    let in_environment = environment.filter_map(|variable| {
        let upper = variable.to_ascii_uppercase();
        let is_own = upper.starts_with("PGAPP_");
        if !(is_own || upper.starts_with("PGRST_")) || upper.starts_with("PGRST_APP_SETTINGS_") {
            return None;
        }
        let variables: Vec<String> =
            known().filter(|name| name.starts_with(OWN) == is_own).map(Key::env_name).collect();
        if variables.contains(variable) {
            return None;
        }
        let meant = closest(&upper, variables.iter().map(String::as_str)).map(str::to_owned);
        (meant.is_some() || !is_own).then(|| UnknownSetting {
            name: variable.clone(),
            place: "environment",
            meant,
        })
    });
    let mut found: Vec<_> = in_file.chain(in_environment).collect();
    found.sort_unstable_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
    found
}

/// The name that takes the fewest slips to become `name`, if few enough to have been slips.
fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 4).clamp(1, 3);
    known
        .map(|it| (slips(name, it), it))
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, it)| it)
}

/// Characters left out, added, replaced, or swapped with their neighbour. Upper and lower case, and `_` and `-`, count as
/// one slip for the whole name.
fn slips(a: &str, b: &str) -> usize {
    let plain = |text: &str| text.to_ascii_lowercase().replace('_', "-").chars().collect::<Vec<_>>();
    let (a_plain, b_plain) = (plain(a), plain(b));
    let spelling = usize::from(a != b && a_plain == b_plain);
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b_plain.len()).collect();
    for (row, left) in a_plain.iter().enumerate() {
        let mut current = vec![row + 1];
        for (col, right) in b_plain.iter().enumerate() {
            let mut least =
                (last[col] + usize::from(left != right)).min(last[col + 1] + 1).min(current[col] + 1);
            let swapped = row > 0 && col > 0 && a_plain[row - 1] == *right && b_plain[col - 1] == *left;
            if swapped {
                least = least.min(before_last[col - 1] + 1);
            }
            current.push(least);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[b_plain.len()] + spelling
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(file: &[&str], environment: &[&str]) -> String {
        let owned = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let found = find(owned(file).iter(), owned(environment).iter());
        let meant = |it: Option<String>| it.unwrap_or_else(|| "nothing".to_owned());
        let line = |it: UnknownSetting| format!("{} ({}): {}", it.name, it.place, meant(it.meant));
        found.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_closest_setting_is_named_as_it_would_have_to_stand_there() {
        insta::assert_snapshot!(
            show(
                &["db-shcemas", "db_uri", "dbpool", "DB-Pool", "jwt-secrt", "hello-world", "pgapp-limited-write"],
                &["PGRST_DB_SHCEMAS", "PGRST_JWTSECRET", "PGRST_SERVICE_HOST", "PGAPP_LIMITED_WRITE", "pgrst_db_uri"],
            ),
            @r"
        DB-Pool (configuration file): db-pool
        db-shcemas (configuration file): db-schemas
        db_uri (configuration file): db-uri
        dbpool (configuration file): db-pool
        hello-world (configuration file): nothing
        jwt-secrt (configuration file): jwt-secret
        pgapp-limited-write (configuration file): pgapp-limited-writes
        PGAPP_LIMITED_WRITE (environment): PGAPP_LIMITED_WRITES
        PGRST_DB_SHCEMAS (environment): PGRST_DB_SCHEMAS
        PGRST_JWTSECRET (environment): PGRST_JWT_SECRET
        PGRST_SERVICE_HOST (environment): PGRST_SERVER_HOST
        pgrst_db_uri (environment): PGRST_DB_URI
        "
        );
    }

    #[test]
    fn what_is_a_setting_or_nobodys_is_not_told_of() {
        let all: Vec<&str> =
            keys::all().flat_map(|key| key.aliases.iter().copied().chain([key.name])).collect();
        let variables: Vec<String> = all.iter().map(|it| Key::env_name(it)).collect();
        let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
        assert_eq!(show(&all, &variables), "");
        assert_eq!(
            show(
                &["app.settings.anything"],
                &["PGRST_APP_SETTINGS_x", "PGAPP_PYTHON", "PGAPP_DB_AUTH", "PATH"]
            ),
            ""
        );
    }

    #[test]
    fn slips_are_counted() {
        for (a, b, expected) in [
            ("a", "a", 0),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("abc", "adc", 1),
            ("A_b", "a-b", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(slips(a, b), expected, "{a} {b}");
        }
    }
}
