//! Names of migration files: UTC time to the second, then words. The order of migrations is the order of times.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// How the time is written: `20261201093000`.
const FORMAT: &str = "%Y%m%d%H%M%S";

/// Length of the time in bytes.
const TIME_LEN: usize = 14;

/// The file name of a migration, such as `20261201093000_orders.sql`.
///
/// Invariant: a valid time, `_`, at least one letter or digit or `_`, `.sql`. Ordered by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationName(String);

/// Why a file cannot be a migration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `TIME_words.sql`.
    #[error("its name is not a UTC time and words, as in 20261201093000_orders.sql")]
    Shape,
    /// Fourteen digits that are no time.
    #[error("its name begins with {0}, which is no time (year, month, day, hour, minute, second in UTC)")]
    Time(String),
}

impl MigrationName {
    /// The name of a migration made at `now`, for a description in free words.
    ///
    /// `taken` are the times that the folder has already: the first free second from `now` on is used.
    ///
    /// # Errors
    /// When the description has no letter and no digit.
    pub fn at(now: Timestamp, description: &str, taken: &[&str]) -> Result<Self, NameError> {
        let words = slug(description);
        if words.is_empty() {
            return Err(NameError::Shape);
        }
        let mut second = now;
        loop {
            let time = second.strftime(FORMAT).to_string();
            if !taken.contains(&time.as_str()) {
                return format!("{time}_{words}.sql").parse();
            }
            second += jiff::SignedDuration::from_secs(1);
        }
    }

    /// The file name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a migration that comes after all of `present`, made at `now` or at the first free second afterwards.
    ///
    /// # Errors
    /// When the description has no letter and no digit.
    pub fn after(present: &[&Self], now: Timestamp, description: &str) -> Result<Self, NameError> {
        let newest = present.iter().map(|it| it.time()).max();
        let newest = newest.and_then(|it| DateTime::strptime(FORMAT, it).ok()?.to_zoned(TimeZone::UTC).ok());
        let next = newest.map(|it| it.timestamp() + jiff::SignedDuration::from_secs(1));
        Self::at(next.map_or(now, |it| it.max(now)), description, &[])
    }

    /// The fourteen digits of its time.
    pub fn time(&self) -> &str {
        &self.0[..TIME_LEN]
    }
}

/// Words of a description as part of a file name: lower case, one `_` between them.
fn slug(description: &str) -> String {
    let words = description.to_lowercase();
    let words: Vec<&str> =
        words.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty()).collect();
    words.join("_")
}

impl FromStr for MigrationName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let stem = name.strip_suffix(".sql").ok_or(NameError::Shape)?;
        let (time, words) = stem.split_once('_').ok_or(NameError::Shape)?;
        let is_time = time.len() == TIME_LEN && time.bytes().all(|it| it.is_ascii_digit());
        let is_words =
            !words.is_empty() && words.chars().all(|it| it.is_alphanumeric() || "_-.".contains(it));
        if !is_time || !is_words {
            return Err(NameError::Shape);
        }
        DateTime::strptime(FORMAT, time).map_err(|_| NameError::Time(time.to_owned()))?;
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for MigrationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_time_and_words() {
        for good in ["20261201093000_orders.sql", "20240229235959_a-b.c.sql", "20261201093000_größe_2.sql"]
        {
            assert_eq!(good.parse::<MigrationName>().unwrap().as_str(), good);
        }
        for bad in [
            "orders.sql",
            "2026_orders.sql",
            "20261201093000.sql",
            "20261201093000_.sql",
            "20261201093000_a b.sql",
        ] {
            assert_eq!(bad.parse::<MigrationName>(), Err(NameError::Shape), "{bad}");
        }
        for bad in ["20261301093000_a.sql", "20260230000000_a.sql", "20260101250000_a.sql"] {
            assert_eq!(bad.parse::<MigrationName>(), Err(NameError::Time(bad[..14].to_owned())), "{bad}");
        }
    }

    #[test]
    fn a_new_name_takes_the_clock_and_the_next_free_second() {
        let now: Timestamp = "2026-12-01T09:30:00Z".parse().unwrap();
        let name = |words: &str, taken: &[&str]| MigrationName::at(now, words, taken).map(|it| it.0);
        assert_eq!(name("Add  Price!", &[]).unwrap(), "20261201093000_add_price.sql");
        assert_eq!(name("x y", &["20261201093000"]).unwrap(), "20261201093001_x_y.sql");
        assert_eq!(name("../é", &[]).unwrap(), "20261201093000_é.sql");
        assert_eq!(name("//", &[]), Err(NameError::Shape));
    }

    #[test]
    fn a_name_comes_after_those_that_are_there() {
        let now: Timestamp = "2026-12-01T09:30:00Z".parse().unwrap();
        let present: MigrationName = "20261231235959_x.sql".parse().unwrap();
        let name = |present: &[&MigrationName]| MigrationName::after(present, now, "y").map(|it| it.0);
        assert_eq!(name(&[]).unwrap(), "20261201093000_y.sql");
        assert_eq!(name(&[&present]).unwrap(), "20270101000000_y.sql");
    }
}
