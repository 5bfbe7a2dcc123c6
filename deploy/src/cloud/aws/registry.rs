//! Images in registries: whether a tag is there, and for which architectures, by the protocol that every registry speaks.
//!
//! Only what anybody may read is asked for; a private registry answers that it wants to know who asks, which is no answer to
//! our question and is said as such.

use reqwest::{Client, Response, Url, header};
use serde_json::Value;

use super::signed::{client, unreachable};
use crate::cloud::{CloudError, CloudResult};

/// Kinds of manifests: of one image, or of one for each architecture.
pub(super) const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// An image as a task definition names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) host: String,
    pub(super) repository: String,
    /// Tag, or digest.
    pub(super) tag: String,
}

impl Reference {
    /// Reads `[HOST/]NAME[:TAG|@DIGEST]`, with Docker's defaults.
    pub(super) fn parse(text: &str) -> Self {
        let (name, tag) = match text.split_once('@') {
            Some((name, digest)) => (name, digest),
            None => match text.rsplit_once(':') {
                Some((name, tag)) if !tag.contains('/') => (name, tag),
                _ => (text, "latest"),
            },
        };
        let (host, repository) = match name.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest.to_owned()),
            Some(_) => ("registry-1.docker.io", name.to_owned()),
            None => ("registry-1.docker.io", format!("library/{name}")),
        };
        let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        Self { host: host.to_owned(), repository, tag: tag.to_owned() }
    }

    fn url(&self, what: &str, which: &str) -> CloudResult<Url> {
        let name = self.host.split(':').next().unwrap_or_default();
        // As Docker does: no TLS on this machine.
        let scheme = if name == "localhost" || name.starts_with("127.") { "http" } else { "https" };
        let text = format!("{scheme}://{}/v2/{}/{what}/{which}", self.host, self.repository);
        Url::parse(&text).map_err(|err| CloudError::Refused(format!("{text}: {err}")))
    }
}

/// The architectures of an image, in Docker's words; empty when the registry does not say.
///
/// # Errors
/// [`CloudError::NotFound`] when there is no such tag, [`CloudError::Denied`] when the registry wants to know who asks.
pub(super) async fn architectures(image: &Reference) -> CloudResult<Vec<String>> {
    let session = Session { client: client()?, image, token: None };
    session.ask().await
}

struct Session<'a> {
    client: Client,
    image: &'a Reference,
    token: Option<String>,
}

impl Session<'_> {
    async fn ask(mut self) -> CloudResult<Vec<String>> {
        let url = self.image.url("manifests", &self.image.tag)?;
        let mut answer = self.get(&url).await?;
        if answer.status() == 401
            && let Some(token) = self.anonymous_token(&answer).await?
        {
            self.token = Some(token);
            answer = self.get(&url).await?;
        }
        let manifest = self.json(answer).await?;
        let listed = listed(&manifest);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let Some(digest) = manifest["config"]["digest"].as_str() else { return Ok(Vec::new()) };
        let answer = self.get(&self.image.url("blobs", digest)?).await?;
        let config = self.json(answer).await?;
        Ok(config["architecture"].as_str().map(str::to_owned).into_iter().collect())
    }

    async fn get(&self, url: &Url) -> CloudResult<Response> {
        let mut request = self.client.get(url.clone()).header(header::ACCEPT, MANIFESTS.join(", "));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await.map_err(|err| unreachable(&err))
    }

    async fn json(&self, answer: Response) -> CloudResult<Value> {
        let Reference { host, repository, tag } = self.image;
        match answer.status().as_u16() {
            200 => answer.json().await.map_err(|err| unreachable(&err)),
            404 => Err(CloudError::NotFound(format!("{host}/{repository} has no \"{tag}\""))),
            401 | 403 => Err(CloudError::Denied(format!("{host} wants to know who asks"))),
            status => Err(CloudError::Unreachable(format!("{host} answers with status {status}"))),
        }
    }

    /// The token that a registry gives to anybody, where it does.
    async fn anonymous_token(&self, answer: &Response) -> CloudResult<Option<String>> {
        let challenge = answer.headers().get(header::WWW_AUTHENTICATE).and_then(|it| it.to_str().ok());
        let Some(url) = challenge.and_then(token_url) else { return Ok(None) };
        let answer = self.client.get(url).send().await.map_err(|err| unreachable(&err))?;
        if answer.status() != 200 {
            return Ok(None);
        }
        let body: Value = answer.json().await.map_err(|err| unreachable(&err))?;
        let token = body["token"].as_str().or_else(|| body["access_token"].as_str());
        Ok(token.map(str::to_owned))
    }
}

/// Where a challenge says that tokens are given: `Bearer realm="…",service="…",scope="…"`.
fn token_url(challenge: &str) -> Option<Url> {
    let rest = challenge.strip_prefix("Bearer ")?;
    let pairs: Vec<(&str, &str)> = rest
        .split("\",")
        .filter_map(|it| it.trim().split_once("=\""))
        .map(|(name, value)| (name, value.trim_end_matches('"')))
        .collect();
    let (_, realm) = pairs.iter().find(|(name, _)| *name == "realm")?;
    let mut url = Url::parse(realm).ok()?;
    url.query_pairs_mut().extend_pairs(pairs.iter().filter(|(name, _)| *name != "realm"));
    Some(url)
}

/// The architectures that an index lists; what is no image, such as a signature, is of an unknown one.
pub(super) fn listed(manifest: &Value) -> Vec<String> {
    let all = manifest["manifests"].as_array().into_iter().flatten();
    let named = all.filter_map(|it| it["platform"]["architecture"].as_str());
    named.filter(|it| *it != "unknown").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_have_dockers_defaults() {
        let check = |text: &str, expected: [&str; 3]| {
            let it = Reference::parse(text);
            assert_eq!([it.host.as_str(), &it.repository, &it.tag], expected, "{text}");
        };
        check("postgres", ["registry-1.docker.io", "library/postgres", "latest"]);
        check("me/app:1", ["registry-1.docker.io", "me/app", "1"]);
        check("docker.io/me/app:1", ["registry-1.docker.io", "me/app", "1"]);
        check("ghcr.io/me/app:1.2", ["ghcr.io", "me/app", "1.2"]);
        check("localhost:5000/app", ["localhost:5000", "app", "latest"]);
        check("r.example.com/app@sha256:12", ["r.example.com", "app", "sha256:12"]);
    }

    #[test]
    fn a_challenge_says_where_tokens_are() {
        let url = token_url(r#"Bearer realm="https://r/token",service="r",scope="repository:a/b:pull,push""#);
        assert_eq!(
            url.map(String::from).as_deref(),
            Some("https://r/token?service=r&scope=repository%3Aa%2Fb%3Apull%2Cpush")
        );
        assert_eq!(token_url("Basic realm=\"x\""), None);
    }

    #[test]
    fn an_index_lists_architectures() {
        let platform = |it: &str| json!({ "platform": { "architecture": it } });
        let index = json!({ "manifests": [platform("arm64"), platform("unknown"), platform("amd64")] });
        assert_eq!(listed(&index), ["arm64", "amd64"]);
    }
}
