//! `Prefer` headers (RFC 7240), read and written.

use http::{HeaderMap, HeaderValue};

use super::types::{
    PreferCount, PreferHandling, PreferMissing, PreferRepresentation, PreferResolution, PreferTransaction,
    Preferences,
};
use crate::config::AppConfig;

/// A preference with a fixed set of values, each known by its spelling.
trait Spelled: Copy + PartialEq + 'static {
    const SPELLINGS: &'static [(&'static str, Self)];

    fn spelling(self) -> &'static str {
        Self::SPELLINGS.iter().find(|(_, value)| *value == self).map_or("", |(text, _)| text)
    }
}

impl Spelled for PreferResolution {
    const SPELLINGS: &'static [(&'static str, Self)] = &[
        ("resolution=merge-duplicates", Self::MergeDuplicates),
        ("resolution=ignore-duplicates", Self::IgnoreDuplicates),
    ];
}

impl Spelled for PreferRepresentation {
    const SPELLINGS: &'static [(&'static str, Self)] = &[
        ("return=representation", Self::Full),
        ("return=minimal", Self::None),
        ("return=headers-only", Self::HeadersOnly),
    ];
}

impl Spelled for PreferCount {
    const SPELLINGS: &'static [(&'static str, Self)] = &[
        ("count=exact", Self::Exact),
        ("count=planned", Self::Planned),
        ("count=estimated", Self::Estimated),
    ];
}

impl Spelled for PreferTransaction {
    const SPELLINGS: &'static [(&'static str, Self)] =
        &[("tx=commit", Self::Commit), ("tx=rollback", Self::Rollback)];
}

impl Spelled for PreferMissing {
    const SPELLINGS: &'static [(&'static str, Self)] =
        &[("missing=default", Self::ApplyDefaults), ("missing=null", Self::ApplyNulls)];
}

impl Spelled for PreferHandling {
    const SPELLINGS: &'static [(&'static str, Self)] =
        &[("handling=strict", Self::Strict), ("handling=lenient", Self::Lenient)];
}

const TIMEZONE: &str = "timezone=";
const MAX_AFFECTED: &str = "max-affected=";

/// Reads every `Prefer` header; of a preference given twice the first counts.
pub fn from_headers(conf: &AppConfig, headers: &HeaderMap) -> Preferences {
    from_values(conf, headers.get_all("prefer").iter())
}

/// The same of their values.
pub(super) fn from_values<'a>(
    conf: &AppConfig,
    values: impl Iterator<Item = &'a HeaderValue>,
) -> Preferences {
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let written = values.iter().filter(|value| !value.is_empty());
    let given: Vec<&str> = written.flat_map(|value| value.split(',')).map(str::trim).collect();
    let prefixed = |prefix: &str| given.iter().find_map(|text| text.strip_prefix(prefix));

    Preferences {
        resolution: first(&given),
        representation: first(&given),
        count: first(&given),
        transaction: if conf.db_tx_allow_override { first(&given) } else { None },
        missing: first(&given),
        handling: first(&given),
        timezone: prefixed(TIMEZONE).map(str::to_owned),
        max_affected: prefixed(MAX_AFFECTED).and_then(|text| text.trim().parse().ok()),
        invalid: given.iter().filter(|text| !is_known(text)).map(|text| (*text).to_owned()).collect(),
    }
}

fn first<T: Spelled>(given: &[&str]) -> Option<T> {
    given.iter().find_map(|text| of(text))
}

fn of<T: Spelled>(text: &str) -> Option<T> {
    T::SPELLINGS.iter().find(|(spelling, _)| *spelling == text).map(|(_, value)| *value)
}

fn is_known(text: &str) -> bool {
    of::<PreferResolution>(text).is_some()
        || of::<PreferRepresentation>(text).is_some()
        || of::<PreferCount>(text).is_some()
        || of::<PreferTransaction>(text).is_some()
        || of::<PreferMissing>(text).is_some()
        || of::<PreferHandling>(text).is_some()
        || text.starts_with(TIMEZONE)
        || text.starts_with(MAX_AFFECTED)
}

/// Value of `Preference-Applied`, or `None` where there is nothing to say.
pub fn applied(preferences: &Preferences) -> Option<String> {
    let max_affected =
        preferences.max_affected.filter(|_| preferences.handling == Some(PreferHandling::Strict));
    let parts: Vec<String> = [
        preferences.resolution.map(|it| it.spelling().to_owned()),
        preferences.missing.map(|it| it.spelling().to_owned()),
        preferences.representation.map(|it| it.spelling().to_owned()),
        preferences.count.map(|it| it.spelling().to_owned()),
        preferences.transaction.map(|it| it.spelling().to_owned()),
        preferences.handling.map(|it| it.spelling().to_owned()),
        preferences.timezone.as_ref().map(|zone| format!("{TIMEZONE}{zone}")),
        max_affected.map(|rows| format!("{MAX_AFFECTED}{rows}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
