//! A hint for what a foreign table cannot do, where the database does not say why.

use crate::error::DbError;

const HINT: &str = "A foreign table has its keys at the origin, so Postgres cannot use them for an upsert. Insert with a plain POST and change with PATCH, or upsert in a function (see docs/foreign-tables.md).";

/// Adds the hint to the error of a `PUT` or of a `POST` with `Prefer: resolution=…` on a foreign table.
pub(super) fn hint(error: &mut DbError) {
    if let DbError::Server { code, hint: hint @ None, .. } = error
        && code == "42P10"
    {
        *hint = Some(HINT.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;

    #[test]
    fn only_a_missing_key_is_explained() {
        for (code, own, expected) in
            [("42P10", None, Some(HINT)), ("42P10", Some("own"), Some("own")), ("23505", None, None)]
        {
            let mut error = DbError::Server {
                code: code.into(),
                message: String::new(),
                detail: None,
                hint: own.map(str::to_owned),
                authenticated: true,
                cause: Cause::Statement,
            };
            hint(&mut error);
            let DbError::Server { hint, .. } = error else { unreachable!() };
            assert_eq!(hint.as_deref(), expected, "{code}");
        }
    }
}
