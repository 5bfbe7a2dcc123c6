//! How the login role proves itself to the database, as the environment says.

use std::sync::{Arc, OnceLock};

use pg_wire_client::{CredentialSource, IamTokens, ProcessCredentials};

/// What `PGAPP_DB_AUTH` of this process says: `password`, or `iam` for a database of RDS or Aurora.
pub(super) fn of_process() -> Result<CredentialSource, String> {
    // Read once: the variables of a process do not change.
    static SOURCE: OnceLock<Result<CredentialSource, String>> = OnceLock::new();
    SOURCE.get_or_init(|| read(|name| std::env::var(name).ok())).clone()
}

fn read(var: impl Fn(&str) -> Option<String>) -> Result<CredentialSource, String> {
    let set = |name: &str| var(name).filter(|it| !it.is_empty());
    match set("PGAPP_DB_AUTH").as_deref() {
        None | Some("password") => Ok(CredentialSource::Password),
        Some("iam") => {
            let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
            let region = region.ok_or("PGAPP_DB_AUTH is \"iam\", but AWS_REGION is not set")?;
            let credentials = ProcessCredentials::read(&var).map_err(|it| it.to_string())?;
            Ok(CredentialSource::Token(Arc::new(IamTokens::new(region, credentials))))
        }
        Some(other) => Err(format!("PGAPP_DB_AUTH is \"{other}\", expected iam or password")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(vars: &[(&str, &str)]) -> Result<&'static str, String> {
        let var =
            |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        read(var).map(|it| if it.demands_tls() { "token" } else { "password" })
    }

    #[test]
    fn tokens_are_asked_for_by_name_and_need_a_region() {
        assert_eq!(kind(&[]), Ok("password"));
        assert_eq!(kind(&[("PGAPP_DB_AUTH", "password")]), Ok("password"));
        assert_eq!(kind(&[("PGAPP_DB_AUTH", "iam"), ("AWS_REGION", "eu-west-1")]), Ok("token"));
        let no_region = kind(&[("PGAPP_DB_AUTH", "iam")]).unwrap_err();
        assert_eq!(no_region, "PGAPP_DB_AUTH is \"iam\", but AWS_REGION is not set");
        let odd = kind(&[("PGAPP_DB_AUTH", "kerberos")]).unwrap_err();
        assert_eq!(odd, "PGAPP_DB_AUTH is \"kerberos\", expected iam or password");
    }
}
