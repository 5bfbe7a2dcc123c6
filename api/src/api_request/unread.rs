//! What a request asks for and nobody reads: refused where the configuration says so.
//!
//! PostgREST passes over a parameter that means nothing to a method. That is harmless until somebody takes
//! `DELETE /t?limit=10` for ten rows. Whatever does mean something is checked elsewhere: what is refused here would
//! have had no effect at all.

use http::HeaderValue;

use super::query::last_word;
use super::query::pairs::{self, Pair};
use super::range;
use super::types::{Action, DbAction, InvokeMethod, Mutation, PreferRepresentation, Preferences};
use crate::config::{AppConfig, Unread};
use crate::error::ApiRequestError;
use crate::media_type::MediaType;

/// What is looked at of a request, apart from the configuration.
pub(super) struct Asked<'a> {
    pub(super) action: &'a Action,
    /// The query string, as sent.
    pub(super) query: &'a [u8],
    /// `Range`.
    pub(super) range: Option<&'a HeaderValue>,
    pub(super) preferences: &'a Preferences,
    pub(super) content_type: &'a MediaType,
}

/// Refuses what the configuration does not want to be passed over.
pub(super) fn check(conf: &AppConfig, asked: &Asked<'_>) -> Result<(), ApiRequestError> {
    let refuses = [conf.pgapp_limited_writes, conf.pgapp_unread_parameters].contains(&Unread::Refuse);
    let Action::Db(action) = asked.action else { return Ok(()) };
    if !refuses {
        return Ok(());
    }
    let pairs = pairs::split(asked.query);
    let parameters: Vec<Parameter<'_>> = pairs.iter().filter_map(Parameter::of).collect();
    if let (Unread::Refuse, DbAction::RelationMutation(_, mutation)) = (conf.pgapp_limited_writes, action) {
        check_limits(*mutation, &parameters, asked)?;
    }
    if conf.pgapp_unread_parameters == Unread::Refuse {
        check_parameters(action, &parameters, asked)?;
    }
    Ok(())
}

/// A parameter whose name is text; others do not get through the grammar.
struct Parameter<'a> {
    name: &'a str,
    value: Option<&'a [u8]>,
}

impl<'a> Parameter<'a> {
    fn of((name, value): &'a Pair) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        // `a=1&&b=2` has nothing between the two.
        (!name.is_empty() || value.is_some()).then_some(Self { name, value: value.as_deref() })
    }

    fn kind(&self) -> &'a str {
        last_word(self.name)
    }
}

/// A write has no window; `order` sorts the rows that it answers with, and does nothing where it answers with none.
fn check_limits(
    mutation: Mutation,
    parameters: &[Parameter<'_>],
    asked: &Asked<'_>,
) -> Result<(), ApiRequestError> {
    let shows_rows = asked.preferences.representation == Some(PreferRepresentation::Full);
    let limits = |it: &&Parameter<'_>| match it.kind() {
        "limit" | "offset" => true,
        "order" => !shows_rows,
        _ => false,
    };
    let parameter = match parameters.iter().find(limits) {
        Some(parameter) => parameter.name.to_owned(),
        None if range::is_asked_for(asked.range) => "Range".to_owned(),
        None => return Ok(()),
    };
    Err(ApiRequestError::LimitedWrite { parameter, method: method(mutation) })
}

fn method(mutation: Mutation) -> &'static str {
    match mutation {
        Mutation::Create => "POST",
        Mutation::Update => "PATCH",
        Mutation::SingleUpsert => "PUT",
        Mutation::Delete => "DELETE",
    }
}

fn check_parameters(
    action: &DbAction,
    parameters: &[Parameter<'_>],
    asked: &Asked<'_>,
) -> Result<(), ApiRequestError> {
    for (at, parameter) in parameters.iter().enumerate() {
        let is_repeated = parameters[..at].iter().any(|earlier| earlier.name == parameter.name);
        if let Some(why) = unread(action, parameter, is_repeated, asked) {
            return Err(ApiRequestError::UnreadParameter {
                parameter: parameter.name.to_owned(),
                why: why.to_owned(),
            });
        }
    }
    Ok(())
}

/// Why a parameter has no effect; `None` where it has one.
///
/// What only shapes an answer (`select`, what is said of embeds) is read even where no rows are answered with.
fn unread(
    action: &DbAction,
    parameter: &Parameter<'_>,
    is_repeated: bool,
    asked: &Asked<'_>,
) -> Option<&'static str> {
    let Some(value) = parameter.value else { return Some("it has no value") };
    let is_reserved = match parameter.kind() {
        "order" | "limit" | "offset" => true,
        _ => matches!(parameter.name, "select" | "columns" | "on_conflict"),
    };
    if is_repeated && is_reserved {
        return Some("it is given more than once, and only one of them counts");
    }
    let is_json = *asked.content_type == MediaType::ApplicationJson;
    match (parameter.name, parameter.kind(), action) {
        (_, _, DbAction::SchemaRead(..)) => Some("the root document has no parameters"),
        ("columns", _, DbAction::RelationMutation(_, Mutation::Create | Mutation::Update))
        | ("columns", _, DbAction::Routine(_, InvokeMethod::Inv)) => {
            (!is_json).then_some("it chooses from a JSON body only")
        }
        ("columns", ..) => Some("it chooses from the body of a POST or PATCH only"),
        ("on_conflict", _, DbAction::RelationMutation(_, Mutation::Create)) => asked
            .preferences
            .resolution
            .is_none()
            .then_some("it means something together with \"Prefer: resolution=\" only"),
        ("on_conflict", ..) => Some("it means something in a POST only"),
        ("select", ..) | (_, "order", _) => None,
        (_, "limit" | "offset", _) => {
            range::integer(value).is_none().then_some("its value is not a whole number")
        }
        (name, kind, DbAction::RelationMutation(_, Mutation::Create)) => {
            // Of logic trees, `and`, `or`, `not.and` and `not.or` are of the top level.
            let is_top_level = match kind {
                "and" | "or" => matches!(name, "and" | "or" | "not.and" | "not.or"),
                _ => !name.contains('.'),
            };
            is_top_level.then_some("a POST has no filters")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema_cache::identifiers::QualifiedIdentifier;

    fn table(mutation: Mutation) -> Action {
        Action::Db(DbAction::RelationMutation(QualifiedIdentifier::new("test", "t"), mutation))
    }

    fn refusing() -> AppConfig {
        AppConfig {
            pgapp_limited_writes: Unread::Refuse,
            pgapp_unread_parameters: Unread::Refuse,
            ..AppConfig::default()
        }
    }

    fn outcome(conf: &AppConfig, action: &Action, query: &str, range: &str, full: bool) -> String {
        let range = HeaderValue::from_str(range).unwrap();
        let preferences = Preferences {
            representation: full.then_some(PreferRepresentation::Full),
            ..Preferences::default()
        };
        let asked = Asked {
            action,
            query: query.as_bytes(),
            range: Some(&range),
            preferences: &preferences,
            content_type: &MediaType::ApplicationJson,
        };
        match check(conf, &asked) {
            Ok(()) => "read".to_owned(),
            Err(ApiRequestError::LimitedWrite { parameter, method }) => format!("{parameter} in {method}"),
            Err(ApiRequestError::UnreadParameter { parameter, why }) => format!("{parameter}: {why}"),
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn whatever_would_limit_a_write_is_refused_for_every_kind_of_write() {
        for mutation in [Mutation::Create, Mutation::Update, Mutation::Delete, Mutation::SingleUpsert] {
            let action = table(mutation);
            let name = method(mutation);
            for parameter in ["limit", "offset", "lines.limit", "a.b.offset", "order", "lines.order"] {
                let query = format!("id=eq.1&{parameter}=1");
                assert_eq!(
                    outcome(&refusing(), &action, &query, "", false),
                    format!("{parameter} in {name}")
                );
                // Without the setting nothing changes.
                assert_eq!(outcome(&AppConfig::default(), &action, &query, "0-1", false), "read");
            }
            for range in ["0-9", "5-"] {
                assert_eq!(outcome(&refusing(), &action, "", range, true), format!("Range in {name}"));
            }
            for range in ["", "0-", "bytes=0-9"] {
                assert_eq!(
                    outcome(&refusing(), &action, "", range, true),
                    "read",
                    "{range} asks for all rows"
                );
            }
            // Rows that are shown are shown in this order.
            assert_eq!(outcome(&refusing(), &action, "order=id&lines.order=id", "", true), "read");
        }
    }

    #[test]
    fn parameters_without_effect_are_refused() {
        let read = Action::Db(DbAction::RelationRead(QualifiedIdentifier::new("test", "t"), false));
        let show = |action: &Action, query| outcome(&refusing(), action, query, "", true);
        assert_eq!(show(&read, "id"), "id: it has no value");
        assert_eq!(
            show(&read, "select=a&select=b"),
            "select: it is given more than once, and only one of them counts"
        );
        assert_eq!(show(&read, "limit=x"), "limit: its value is not a whole number");
        assert_eq!(show(&read, "columns=a"), "columns: it chooses from the body of a POST or PATCH only");
        assert_eq!(show(&read, "on_conflict=a"), "on_conflict: it means something in a POST only");
        assert_eq!(
            show(&table(Mutation::Create), "on_conflict=a"),
            "on_conflict: it means something together with \"Prefer: resolution=\" only"
        );
        assert_eq!(show(&table(Mutation::Create), "id=eq.1"), "id: a POST has no filters");
        assert_eq!(show(&table(Mutation::Create), "not.or=(a.eq.1)"), "not.or: a POST has no filters");
        assert_eq!(
            show(&table(Mutation::SingleUpsert), "id=eq.1&columns=a"),
            "columns: it chooses from the body of a POST or PATCH only"
        );
        let root = Action::Db(DbAction::SchemaRead("test".into(), false));
        assert_eq!(show(&root, "select=a"), "select: the root document has no parameters");
    }

    #[test]
    fn what_is_read_passes() {
        let read = Action::Db(DbAction::RelationRead(QualifiedIdentifier::new("test", "t"), false));
        let show = |action: &Action, query| outcome(&refusing(), action, query, "", true);
        assert_eq!(
            show(&read, "select=a&id=eq.1&id=gt.0&or=(a.eq.1)&limit=1&b.limit=2&order=a&&offset=0"),
            "read"
        );
        assert_eq!(show(&table(Mutation::Create), "select=a,b(c)&b.c=eq.1&b.or=(c.eq.1)&columns=a"), "read");
        assert_eq!(show(&table(Mutation::Delete), "id=eq.1&select=a"), "read");
    }
}
