//! A failure for want of credentials, told as such: Terraform says it in many ways, and AWS's programs say it once more.

use super::preflight::{self, Answer};

/// What to do where AWS does not take the credentials of this shell; `None` where it does, or where nobody can ask.
pub(super) fn advice() -> Option<String> {
    preflight::identity().and_then(|it| advise(&it))
}

fn advise(answer: &Answer) -> Option<String> {
    let Answer::Refused(why) = answer else { return None };
    let why = preflight::short(why);
    let lower = why.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|it| lower.contains(it));
    let todo = if says(&["expired", "session has", "refresh"]) {
        "they have expired: `cargo xtask login` signs in again by IAM Identity Center; after `aws login`, hand its \
         credentials over once more (eval \"$(aws configure export-credentials --format env)\")"
    } else if says(&["config profile"]) {
        "AWS_PROFILE names no profile of this machine: `aws configure list-profiles` shows those there are"
    } else if says(&["locate credentials", "no credentials", "credentials not found"]) {
        "there are none: set AWS_PROFILE and `cargo xtask login`, or hand over those of `aws login` \
         (eval \"$(aws configure export-credentials --format env)\")"
    } else if says(&["invalidclienttokenid", "signaturedoesnotmatch"]) {
        "AWS does not know them: `aws configure list` shows where they come from"
    } else {
        // A network that is not there, say, is Terraform's to tell.
        return None;
    };
    Some(format!("The credentials are refused ({why}): {todo}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_credentials_come_with_what_to_do() {
        let advise = |why: &str| advise(&Answer::Refused(why.to_owned()));
        for (why, todo) in [
            (
                "An error occurred (ExpiredToken) when calling the GetCallerIdentity operation",
                "cargo xtask login",
            ),
            (
                "Error when retrieving token from sso: Token has expired and refresh failed",
                "cargo xtask login",
            ),
            ("Unable to locate credentials. You can configure credentials by running", "AWS_PROFILE"),
            ("The config profile (nope) could not be found", "list-profiles"),
            ("An error occurred (InvalidClientTokenId) when calling", "aws configure list"),
        ] {
            let advice = advise(&format!("\n{why}\n")).expect(why);
            assert!(advice.contains(why) && advice.contains(todo), "{advice}");
        }
        assert_eq!(advise("Could not connect to the endpoint URL"), None);
        assert_eq!(super::advise(&Answer::Said(serde_json::json!({"Account": "1"}))), None);
    }
}
