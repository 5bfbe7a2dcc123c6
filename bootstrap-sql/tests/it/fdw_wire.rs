//! Server and mappings.

use bootstrap_sql::Target;
use bootstrap_sql::fdw;
use tokio_postgres::Client;

use crate::cluster::{Cluster, text};
use crate::targets::{apply_quietly, local_vars};

/// Both databases set up and joined, nothing imported.
pub(crate) async fn wired(cluster: &Cluster) -> (Client, Client) {
    let mut origin = cluster.origin().await;
    let mut custom = cluster.custom().await;
    apply_quietly(&mut origin, Target::Origin, &local_vars()).await;
    apply_quietly(&mut custom, Target::Custom, &local_vars()).await;
    fdw::wire(&mut custom, &cluster.fdw_config()).await.unwrap();
    (origin, custom)
}

#[tokio::test]
async fn anonymous_requests_read_and_write_the_origin() {
    let cluster = Cluster::start().await;
    let (origin, mut custom) = wired(&cluster).await;
    let report = fdw::import(&mut custom, &cluster.fdw_config()).await.unwrap();
    assert_eq!(report.added, ["todos"], "{report:?}");

    let api = cluster.try_connect("mydb", "authenticator", "authpassword").await.unwrap();
    api.batch_execute("SET ROLE web_anon").await.unwrap();
    assert_eq!(text(&api, "SELECT col1 || '/' || col2 FROM public.todos").await, "cat/dog");
    api.batch_execute(
        "INSERT INTO public.todos VALUES ('a', 'b'); DELETE FROM public.todos WHERE col1 = 'cat'",
    )
    .await
    .unwrap();
    assert_eq!(text(&origin, "SELECT col1 || '/' || col2 FROM todos").await, "a/b");
}
