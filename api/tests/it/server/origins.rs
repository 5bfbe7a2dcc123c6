//! Answers that depend on who asks say so to caches.

use super::http::Request;
use super::process::Server;
use super::{authenticator, database};

#[tokio::test]
async fn answers_vary_with_the_origin_where_origins_are_listed() {
    let db = database().await;
    let listing = Server::over(&authenticator(db.config()))
        .set("SERVER_CORS_ALLOWED_ORIGINS", "https://app.example")
        .start()
        .await;
    let open = Server::over(&authenticator(db.config())).start().await;
    for origin in [None, Some("https://app.example"), Some("https://other.example")] {
        let request = || match origin {
            Some(origin) => Request::get("/").header("Origin", origin),
            None => Request::get("/"),
        };
        let varies = |vary: &str| vary.split(", ").any(|it| it == "Origin");
        let listed = listing.send(request()).await;
        assert!(varies(&listed.every("vary")), "{origin:?}: {}", listed.every("vary"));
        // Whoever asks gets the same.
        let same = open.send(request()).await;
        assert!(!varies(&same.every("vary")), "{origin:?}: {}", same.every("vary"));
        let allowed = origin.filter(|it| *it == "https://app.example");
        assert_eq!(listed.header("access-control-allow-origin"), allowed);
    }
}
