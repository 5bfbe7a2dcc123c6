//! Buckets, as a stranger sees them.

use reqwest::Method;

use super::{
    check::{Check, Context, Stop, Verdict, ensure, fail, skip},
    http::{Answer, Request},
    subject::Bucket,
};

/// The hybrid deployment's bucket of templates.
pub const TEMPLATES: &[Check] = &[
    LISTING,
    PRIVATE,
    Check {
        name: "bucket-template",
        what: "templates can be read, for one-click links",
        how: |it| Box::pin(public_object(it)),
    },
    WRITE,
    CLEAR,
];

/// The serverless deployment's bucket of states.
pub const STATE: &[Check] = &[LISTING, PRIVATE, WRITE, CLEAR];

const LISTING: Check =
    Check { name: "bucket-listing", what: "no stranger lists a bucket", how: |it| Box::pin(listing(it)) };

const PRIVATE: Check = Check {
    name: "bucket-private",
    what: "no stranger reads parameters or states",
    how: |it| Box::pin(private_objects(it)),
};

const WRITE: Check =
    Check { name: "bucket-write", what: "no stranger writes to a bucket", how: |it| Box::pin(write(it)) };

const CLEAR: Check = Check {
    name: "bucket-encrypted",
    what: "buckets are not read in the clear",
    how: |it| Box::pin(in_the_clear(it)),
};

/// Buckets, where AWS itself guards them.
fn buckets<'a>(it: &'a Context<'_>) -> Result<&'a [Bucket], Stop> {
    match (&it.subject.not_aws, it.subject.buckets.as_slice()) {
        (_, []) => skip("no bucket is known"),
        (Some(why), _) => skip(format!("{why}, which guards no buckets")),
        (None, buckets) => Ok(buckets),
    }
}

/// A request without any credentials.
async fn ask(it: &Context<'_>, method: Method, url: String) -> Result<Answer, Stop> {
    it.http.unsigned().send(&Request::new(method, url)).await.map_err(Stop::Failed)
}

async fn is_refused(it: &Context<'_>, method: Method, url: String) -> Verdict {
    let answer = ask(it, method.clone(), url.clone()).await?;
    ensure(answer.status == 403, || format!("{method} {url}: expected 403, got {}", answer.describe()))
}

async fn listing(it: &Context<'_>) -> Verdict {
    for bucket in buckets(it)? {
        is_refused(it, Method::GET, format!("{}/?list-type=2", bucket.url)).await?;
    }
    Ok(())
}

async fn private_objects(it: &Context<'_>) -> Verdict {
    for bucket in buckets(it)? {
        for key in &bucket.private_keys {
            is_refused(it, Method::GET, format!("{}/{key}", bucket.url)).await?;
        }
    }
    Ok(())
}

async fn public_object(it: &Context<'_>) -> Verdict {
    for bucket in buckets(it)? {
        let Some(key) = &bucket.public_key else { continue };
        let url = format!("{}/{key}", bucket.url);
        let answer = ask(it, Method::GET, url.clone()).await?;
        match answer.status {
            200 => {}
            // S3 tells strangers nothing about what is not there.
            403 => return skip(format!("{key} was not uploaded, or the bucket policy forbids it")),
            _ => return fail(format!("GET {url}: expected 200, got {}", answer.describe())),
        }
    }
    Ok(())
}

async fn write(it: &Context<'_>) -> Verdict {
    for bucket in buckets(it)? {
        // An empty object, removed again should it be taken.
        let url = format!("{}/pgapp-verify-stranger", bucket.url);
        it.on_exit(super::check::Undo::Stranger(Request::new(Method::DELETE, url.clone())));
        is_refused(it, Method::PUT, url).await?;
    }
    Ok(())
}

async fn in_the_clear(it: &Context<'_>) -> Verdict {
    for bucket in buckets(it)? {
        let Some(rest) = bucket.url.strip_prefix("https://") else { continue };
        let key = bucket.public_key.as_deref().unwrap_or("pgapp-verify");
        let url = format!("http://{rest}/{key}");
        // Nothing there at all is as good.
        if let Ok(answer) = it.http.unsigned().send(&Request::get(&url)).await {
            ensure(answer.status == 403, || format!("GET {url}: expected 403, got {}", answer.describe()))?;
        }
    }
    Ok(())
}
