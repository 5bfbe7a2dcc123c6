//! Media types of requests and responses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Output format of an EXPLAIN plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PlanFormat {
    /// `application/vnd.pgrst.plan+json`.
    #[serde(rename = "PlanJSON")]
    Json,
    /// `application/vnd.pgrst.plan+text`.
    #[serde(rename = "PlanText")]
    Text,
}

/// Option of an EXPLAIN plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PlanOption {
    /// `ANALYZE`.
    #[serde(rename = "PlanAnalyze")]
    Analyze,
    /// `VERBOSE`.
    #[serde(rename = "PlanVerbose")]
    Verbose,
    /// `SETTINGS`.
    #[serde(rename = "PlanSettings")]
    Settings,
    /// `BUFFERS`.
    #[serde(rename = "PlanBuffers")]
    Buffers,
    /// `WAL`.
    #[serde(rename = "PlanWAL")]
    Wal,
}

/// A media type this server knows, or [`MediaType::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "tag", content = "contents")]
pub enum MediaType {
    /// `application/json`.
    #[serde(rename = "MTApplicationJSON")]
    ApplicationJson,
    /// `application/geo+json`.
    #[serde(rename = "MTGeoJSON")]
    GeoJson,
    /// `text/csv`.
    #[serde(rename = "MTTextCSV")]
    TextCsv,
    /// `application/x-ndjson`: a JSON value a line.
    #[serde(rename = "MTNdjson")]
    Ndjson,
    /// `application/jsonl`, another name of the same.
    #[serde(rename = "MTJsonl")]
    Jsonl,
    /// `text/plain`.
    #[serde(rename = "MTTextPlain")]
    TextPlain,
    /// `text/xml`.
    #[serde(rename = "MTTextXML")]
    TextXml,
    /// `application/openapi+json`.
    #[serde(rename = "MTOpenAPI")]
    OpenApi,
    /// `application/x-www-form-urlencoded`.
    #[serde(rename = "MTUrlEncoded")]
    UrlEncoded,
    /// `application/octet-stream`.
    #[serde(rename = "MTOctetStream")]
    OctetStream,
    /// `*/*`.
    #[serde(rename = "MTAny")]
    Any,
    /// Anything else, verbatim.
    #[serde(rename = "MTOther")]
    Other(String),
    /// `application/vnd.pgrst.array+json;nulls=stripped`.
    #[serde(rename = "MTVndArrayJSONStrip")]
    VndArrayJsonStrip,
    /// `application/vnd.pgrst.object+json`; the flag is `nulls=stripped`.
    #[serde(rename = "MTVndSingularJSON")]
    VndSingularJson(bool),
    /// `application/vnd.pgrst.plan`.
    #[serde(rename = "MTVndPlan")]
    VndPlan(Box<MediaType>, PlanFormat, Vec<PlanOption>),
}

impl MediaType {
    /// Reads the value of a `Content-Type`, or one element of an `Accept` header. What is not known is
    /// [`MediaType::Other`], verbatim.
    pub fn parse(text: &str) -> Self {
        let Some(parts) = Parts::read(text) else { return Self::Other(text.to_owned()) };
        let stripped = parts.parameter("nulls") == Some("stripped");
        let main_type = parts.main_type.to_ascii_lowercase();
        let subtype = parts.subtype.to_ascii_lowercase();
        match (main_type.as_str(), subtype.as_str()) {
            ("application", "json") => Self::ApplicationJson,
            ("application", "geo+json") => Self::GeoJson,
            ("text", "csv") => Self::TextCsv,
            ("application", "x-ndjson" | "ndjson") => Self::Ndjson,
            ("application", "jsonl" | "x-jsonlines") => Self::Jsonl,
            ("text", "plain") => Self::TextPlain,
            ("text", "xml") => Self::TextXml,
            ("application", "openapi+json") => Self::OpenApi,
            ("application", "x-www-form-urlencoded") => Self::UrlEncoded,
            ("application", "octet-stream") => Self::OctetStream,
            ("application", "vnd.pgrst.plan" | "vnd.pgrst.plan+text") => parts.plan(PlanFormat::Text),
            ("application", "vnd.pgrst.plan+json") => parts.plan(PlanFormat::Json),
            ("application", "vnd.pgrst.object+json" | "vnd.pgrst.object") => Self::VndSingularJson(stripped),
            ("application", "vnd.pgrst.array+json" | "vnd.pgrst.array") => {
                if stripped {
                    Self::VndArrayJsonStrip
                } else {
                    Self::ApplicationJson
                }
            }
            ("*", "*") => Self::Any,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// Value of the `Content-Type` header.
    pub fn content_type(&self) -> String {
        match self {
            Self::OctetStream | Self::Other(_) => self.to_string(),
            _ => format!("{self}; charset=utf-8"),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::ApplicationJson => "application/json",
            Self::GeoJson => "application/geo+json",
            Self::TextCsv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
            Self::Jsonl => "application/jsonl",
            Self::TextPlain => "text/plain",
            Self::TextXml => "text/xml",
            Self::OpenApi => "application/openapi+json",
            Self::UrlEncoded => "application/x-www-form-urlencoded",
            Self::OctetStream => "application/octet-stream",
            Self::Any => "*/*",
            Self::Other(text) => text,
            Self::VndArrayJsonStrip => "application/vnd.pgrst.array+json;nulls=stripped",
            Self::VndSingularJson(true) => "application/vnd.pgrst.object+json;nulls=stripped",
            Self::VndSingularJson(false) => "application/vnd.pgrst.object+json",
            Self::VndPlan(of, format, options) => {
                let format = match format {
                    PlanFormat::Json => "json",
                    PlanFormat::Text => "text",
                };
                write!(f, "application/vnd.pgrst.plan+{format}; for=\"{of}\"")?;
                for (at, (name, _)) in
                    PLAN_OPTIONS.iter().filter(|(_, option)| options.contains(option)).enumerate()
                {
                    f.write_str(if at == 0 { "; options=" } else { "|" })?;
                    f.write_str(name)?;
                }
                return Ok(());
            }
        };
        f.write_str(text)
    }
}

const PLAN_OPTIONS: [(&str, PlanOption); 5] = [
    ("analyze", PlanOption::Analyze),
    ("verbose", PlanOption::Verbose),
    ("settings", PlanOption::Settings),
    ("buffers", PlanOption::Buffers),
    ("wal", PlanOption::Wal),
];

/// A media type taken apart: `main/sub; name=value; name="value"`.
struct Parts<'a> {
    main_type: &'a str,
    subtype: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    /// `None` where there is no `main/sub` to begin with. Parameters end where they stop making sense.
    fn read(text: &'a str) -> Option<Self> {
        let (main_type, rest) = run(text, |c| c.is_alphanumeric() || matches!(c, '.' | '*'))?;
        let (subtype, mut rest) =
            run(rest.strip_prefix('/')?, |c| c.is_alphanumeric() || matches!(c, '.' | '*' | '+' | '-'))?;
        let mut parameters = Vec::new();
        while let Some((parameter, after)) = parameter(rest) {
            parameters.push(parameter);
            rest = after;
        }
        Some(Self { main_type, subtype, parameters })
    }

    /// A parameter by its lower-case name; the last one counts.
    fn parameter(&self, wanted: &str) -> Option<&'a str> {
        self.parameters
            .iter()
            .rev()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| *value)
    }

    fn plan(&self, format: PlanFormat) -> MediaType {
        let of = self.parameter("for").unwrap_or("application/json");
        let given: Vec<&str> = self.parameter("options").unwrap_or_default().split('|').collect();
        let options =
            PLAN_OPTIONS.iter().filter(|(name, _)| given.contains(name)).map(|(_, option)| *option).collect();
        // One level only: a plan of a plan is a type nobody produces.
        let of = match Parts::read(of) {
            Some(parts) if parts.subtype.to_ascii_lowercase().starts_with("vnd.pgrst.plan") => {
                MediaType::Other(of.to_owned())
            }
            _ => MediaType::parse(of),
        };
        MediaType::VndPlan(Box::new(of), format, options)
    }
}

/// The longest beginning whose characters satisfy `accept`, and what follows it.
fn run(text: &str, accept: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    let end = text.find(|c| !accept(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn parameter(text: &str) -> Option<((&str, &str), &str)> {
    let rest = text.trim_start().strip_prefix(';')?.trim_start();
    let (name, rest) = run(rest, |c| c.is_alphanumeric() || c == '-')?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    let (value, rest) = quoted.or_else(|| run(rest, |c| c.is_alphanumeric() || matches!(c, '|' | '-')))?;
    Some(((name, value), rest))
}

/// A parameter of a media type, as written.
pub fn parameter_of(text: &str, name: &str) -> Option<String> {
    Parts::read(text)?.parameter(name).map(str::to_owned)
}

/// Elements of an `Accept` header by descending quality, then specificity, then position.
pub fn parse_accept(header: &str) -> Vec<MediaType> {
    if header.is_empty() {
        return Vec::new();
    }
    let mut elements: Vec<(String, f64, i64)> = header
        .split(',')
        .map(|element| {
            let text = element.replace(' ', "");
            let (name, quality) = match text.split_once(";q=") {
                Some((name, rest)) => {
                    let number = rest.split(';').next().unwrap_or_default();
                    (name.to_owned(), quality(number))
                }
                None => (text, 1.0),
            };
            let count = |wanted| name.matches(wanted).count() as i64;
            let specificity = count(';') - count('*');
            (name, quality, specificity)
        })
        .collect();
    elements.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.2.cmp(&a.2)));
    elements.iter().map(|(name, _, _)| MediaType::parse(name)).collect()
}

/// A quality that is no number counts as full.
fn quality(text: &str) -> f64 {
    text.parse().ok().filter(|quality: &f64| quality.is_finite()).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(text: &str) -> String {
        format!("{:?}", MediaType::parse(text))
    }

    #[test]
    fn known_types() {
        insta::assert_snapshot!(show("application/json"), @"ApplicationJson");
        insta::assert_snapshot!(show("Application/JSON;charset=UTF-8"), @"ApplicationJson");
        insta::assert_snapshot!(show("application/vnd.pgrst.plan;"), @"VndPlan(ApplicationJson, Text, [])");
        insta::assert_snapshot!(show("application/vnd.pgrst.plan ; for=\"text/xml\" ; options=analyze"), @"VndPlan(TextXml, Text, [Analyze])");
        insta::assert_snapshot!(show("application/vnd.pgrst.plan+json;for=\"text/csv\";options=wal|verbose"), @"VndPlan(TextCsv, Json, [Verbose, Wal])");
        insta::assert_snapshot!(show("application/vnd.pgrst.array+json;nulls=stripped"), @"VndArrayJsonStrip");
        insta::assert_snapshot!(show("application/vnd.pgrst.array+json"), @"ApplicationJson");
        insta::assert_snapshot!(show("application/vnd.pgrst.object;nulls=stripped"), @"VndSingularJson(true)");
        insta::assert_snapshot!(show("ApplicatIon/vnd.PgRsT.object+json"), @"VndSingularJson(false)");
        insta::assert_snapshot!(show("application/vnd.twkb"), @r#"Other("application/vnd.twkb")"#);
        insta::assert_snapshot!(show("garbage"), @r#"Other("garbage")"#);
        insta::assert_snapshot!(show("*/*"), @"Any");
    }

    #[test]
    fn content_types_carry_a_charset_unless_they_may_be_binary() {
        let show = |text| MediaType::parse(text).content_type();
        insta::assert_snapshot!(show("text/csv"), @"text/csv; charset=utf-8");
        insta::assert_snapshot!(show("application/octet-stream"), @"application/octet-stream");
        insta::assert_snapshot!(show("image/png"), @"image/png");
        insta::assert_snapshot!(show("application/vnd.pgrst.plan+json;options=wal|analyze"), @r#"application/vnd.pgrst.plan+json; for="application/json"; options=analyze|wal; charset=utf-8"#);
    }

    #[test]
    fn accept_is_ordered_by_quality_then_specificity() {
        let show = |text| parse_accept(text).iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        insta::assert_snapshot!(show("text/csv;q=0.5, */*;q=0.1, application/json"), @"application/json | text/csv | */*");
        insta::assert_snapshot!(show("*/*, text/*, text/csv, application/vnd.pgrst.object+json;nulls=stripped"), @"application/vnd.pgrst.object+json;nulls=stripped | text/csv | text/* | */*");
        insta::assert_snapshot!(show("a/b;q=x,c/d;q=0.9;v=1"), @"a/b | c/d");
        insta::assert_snapshot!(show(""), @"");
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_known_types_read_back(text in "\\PC{0,40}") {
            let read = MediaType::parse(&text);
            prop_assert_eq!(MediaType::parse(&read.to_string()), read);
            let _ = parse_accept(&text);
        }
    }
}
