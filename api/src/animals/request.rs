//! HTTP → [`Command`]. Pure; the body arrives decoded.

use http::Method;
use percent_encoding::percent_decode_str;

use super::animal::{Animal, BodyError, clean_name, name_from_body};

/// What the caller wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// All animals by name.
    List,
    /// Insert, or replace by name.
    Save(Animal),
    /// Remove by name.
    Delete(String),
}

/// Why a request is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such path.
    #[error("Not found.")]
    NotFound,
    /// The path does not take this method; what it takes.
    #[error("Method not allowed.")]
    MethodNotAllowed(&'static str),
    /// The body is not what it must be.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A `DELETE` that names nothing.
    #[error("The name to delete must be provided.")]
    NoName,
}

/// Reads a request.
///
/// `path` may carry an API Gateway stage in front (`/prod/animals`); `query` is the raw query string.
pub fn read(method: &Method, path: &str, query: &str, body: &[u8]) -> Result<Command, Refusal> {
    let segments: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let (["animals", rest @ ..] | [_, "animals", rest @ ..]) = segments.as_slice() else {
        return Err(Refusal::NotFound);
    };
    match (rest, method) {
        ([], &Method::GET) => Ok(Command::List),
        ([], &Method::POST) => Ok(Command::Save(Animal::from_body(body)?)),
        ([], &Method::DELETE) => {
            let named = match name_from_query(query) {
                Some(name) => Some(name),
                None => name_from_body(body)?,
            };
            named.map(Command::Delete).ok_or(Refusal::NoName)
        }
        ([], _) => Err(Refusal::MethodNotAllowed("GET, POST, DELETE")),
        ([name], &Method::DELETE) => {
            let name = percent_decode_str(name).decode_utf8().map_err(|_| Refusal::NoName)?;
            clean_name(&name).map(Command::Delete).ok_or(Refusal::NoName)
        }
        ([_], _) => Err(Refusal::MethodNotAllowed("DELETE")),
        _ => Err(Refusal::NotFound),
    }
}

fn name_from_query(query: &str) -> Option<String> {
    query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, _)| *key == "name").find_map(
        |(_, value)| {
            let value = value.replace('+', " ");
            clean_name(&percent_decode_str(&value).decode_utf8().ok()?)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, path: &str, query: &str, body: &str, expected: Result<Command, &str>) {
        let read = read(method, path, query, body.as_bytes());
        assert_eq!(
            read.map_err(|it| it.to_string()),
            expected.map_err(ToOwned::to_owned),
            "{method} {path}?{query}"
        );
    }

    #[test]
    fn list_with_and_without_stage() {
        for path in ["/animals", "/animals/", "/prod/animals", "animals"] {
            check(&Method::GET, path, "", "", Ok(Command::List));
        }
    }

    #[test]
    fn delete_takes_the_name_from_path_then_query_then_body() {
        let delete = |name: &str| Ok(Command::Delete(name.to_owned()));
        check(&Method::DELETE, "/animals/Big%20Cat", "name=x", "", delete("Big Cat"));
        check(&Method::DELETE, "/animals", "name=%20Big+Cat", r#"{"name":"y"}"#, delete("Big Cat"));
        check(&Method::DELETE, "/animals", "", r#"{"name":" y "}"#, delete("y"));
        check(&Method::DELETE, "/animals", "name=", r#"{"name":"y"}"#, delete("y"));
        for (query, body) in [("", ""), ("name=%20", ""), ("", "{}"), ("other=1", r#"{"name":null}"#)] {
            check(&Method::DELETE, "/animals", query, body, Err("The name to delete must be provided."));
        }
        check(&Method::DELETE, "/animals/%20", "", "", Err("The name to delete must be provided."));
        check(&Method::DELETE, "/animals/%ff", "", "", Err("The name to delete must be provided."));
        check(&Method::DELETE, "/animals", "", "{", Err("Body must be valid JSON"));
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        for path in ["/", "", "/plants", "/a/b/animals", "/animals/x/y"] {
            check(&Method::GET, path, "", "", Err("Not found."));
        }
        assert_eq!(
            read(&Method::PUT, "/animals", "", b""),
            Err(Refusal::MethodNotAllowed("GET, POST, DELETE"))
        );
        assert_eq!(read(&Method::GET, "/animals/x", "", b""), Err(Refusal::MethodNotAllowed("DELETE")));
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(path in ".{0,40}", query in ".{0,40}", body in ".{0,40}") {
            let _ = read(&Method::DELETE, &path, &query, body.as_bytes());
        }
    }
}
