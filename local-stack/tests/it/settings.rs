//! Flags and surroundings: what is refused, and what the answer says.

use std::ffi::OsString;

use local_stack::pgbin::SearchPath;
use local_stack::{Backend, Database, Error, Volumes};

use crate::support::TestStack;

fn nowhere() -> SearchPath {
    SearchPath { pg_bin_dir: None, path: OsString::new(), usual_dirs: Vec::new() }
}

#[tokio::test]
async fn pg_bin_dir_without_a_server_is_refused_by_name() {
    let it = TestStack::databases();
    let empty = it.root().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for backend in [Backend::Native, Backend::Auto] {
        let search = SearchPath { pg_bin_dir: Some(empty.clone().into()), ..nowhere() };
        let stack = it.stack.clone().with_search_path(search);
        let config = local_stack::StackConfig { backend, ..it.config.clone() };
        let error = stack.up(&config, &it.api).await.unwrap_err();
        let expected = format!("PG_BIN_DIR is \"{}\", but there is no postgres in it", empty.display());
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().unwrap().contains("PG_BIN_DIR"));
    }
}

#[tokio::test]
async fn no_server_at_all_says_what_to_install() {
    let it = TestStack::databases();
    let stack = it.stack.clone().with_search_path(nowhere()).with_archives("file:///nowhere");
    let error = stack.up(&it.config, &it.api).await.unwrap_err();
    assert!(matches!(error, Error::NoServer { .. }), "{error}");
    let hint = error.hint().unwrap();
    for expected in ["apt-get install postgresql", "dnf install postgresql", "brew install postgresql"] {
        assert!(hint.contains(expected), "{expected} is missing in:\n{hint}");
    }
}

#[tokio::test]
async fn a_second_up_with_other_flags_says_what_differs() {
    let mut it = TestStack::databases();
    it.up().await.unwrap();
    let old = it.config.clone();
    it.config.origin_port = local_stack::ports::free().unwrap();
    it.config.bare = true;
    let error = it.up().await.unwrap_err();
    let expected = format!(
        "stack \"default\" is up with other settings: --origin-port is {}; you asked for {}; it runs without --bare; you asked for --bare",
        old.origin_port, it.config.origin_port
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(it.stack.config().unwrap(), old, "a refused up changes nothing");
    it.config = old;
    assert_eq!(it.todos().await, ["cat/dog"]);
}

#[tokio::test]
async fn ports_may_change_while_the_stack_is_down() {
    let mut it = TestStack::databases();
    it.up().await.unwrap();
    it.down(Volumes::Keep).await;
    it.config.origin_port = local_stack::ports::free().unwrap();
    it.config.custom_port = local_stack::ports::free().unwrap();
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog"], "the foreign server follows the origin's port");
}

#[tokio::test]
async fn data_is_not_lost_sight_of_by_another_backend_or_folder() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    it.down(Volumes::Keep).await;
    let docker = local_stack::StackConfig { backend: Backend::Docker, ..it.config.clone() };
    let folder = local_stack::StackConfig { data_dir: Some(it.root().join("data")), ..it.config.clone() };
    for (config, expected) in
        [(docker, "--backend is native; you asked for docker"), (folder, "--data-dir is default")]
    {
        let error = it.stack.up(&config, &it.api).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().unwrap().contains("--volumes"));
    }
}

#[tokio::test]
async fn data_dir_is_used_and_only_our_folders_are_removed() {
    let mut it = TestStack::databases();
    let dir = it.root().join("elsewhere");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("mine"), "kept").unwrap();
    it.config.data_dir = Some(dir.clone());
    it.up().await.unwrap();
    assert!(dir.join("origindb/PG_VERSION").exists());
    assert_eq!(it.todos().await, ["cat/dog"]);
    it.down(Volumes::Remove).await;
    assert!(!dir.join("origindb").exists() && !dir.join("customdb").exists());
    assert_eq!(std::fs::read_to_string(dir.join("mine")).unwrap(), "kept");
}

#[tokio::test]
async fn a_data_folder_in_use_is_refused() {
    let mut a = TestStack::databases();
    a.config.data_dir = Some(a.root().join("shared"));
    a.up().await.unwrap();
    let mut b = a.beside("other");
    b.config.data_dir.clone_from(&a.config.data_dir);
    let text = b.up().await.unwrap_err().to_string();
    let expected = format!("is in use by a Postgres on port {}", a.config.origin_port);
    assert!(text.contains(&expected), "{text}");
    assert_eq!(a.todos().await, ["cat/dog"]);
}

#[tokio::test]
async fn a_folder_that_is_no_cluster_is_refused_untouched() {
    let mut it = TestStack::databases();
    let dir = it.root().join("elsewhere");
    std::fs::create_dir_all(dir.join("customdb")).unwrap();
    std::fs::write(dir.join("customdb/thesis.txt"), "years of work").unwrap();
    it.config.data_dir = Some(dir.clone());
    let error = it.up().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.ends_with("is not empty and is not a Postgres data folder"), "{source}");
    it.down(Volumes::Remove).await;
    assert_eq!(std::fs::read_to_string(dir.join("customdb/thesis.txt")).unwrap(), "years of work");
}

#[tokio::test]
async fn one_port_for_two_services_is_refused() {
    let mut it = TestStack::databases();
    it.config.admin_port = Some(it.config.api_port);
    let error = it.up().await.unwrap_err();
    assert!(matches!(error, Error::PortTwice { first: "--api-port", second: "--admin-port", .. }), "{error}");
}

#[tokio::test]
async fn both_users_are_superusers_and_only_with_their_password() {
    let it = TestStack::databases();
    it.up().await.unwrap();
    for database in Database::ALL {
        let client = it.connect(database).await;
        let row = client
            .query_one("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", &[])
            .await
            .unwrap();
        assert!(row.get::<_, bool>(0));
        let mut config = it.stack.connection(database).unwrap().config(database.dbname());
        config.password("guess");
        assert!(config.connect(tokio_postgres::NoTls).await.is_err());
    }
}

#[tokio::test]
async fn a_project_that_the_databases_user_cannot_enter_keeps_its_data_elsewhere() {
    let it = TestStack::databases();
    std::fs::set_permissions(it.root(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    it.up().await.unwrap();
    assert_eq!(it.todos().await, ["cat/dog"]);
    if local_stack::account::Account::for_servers() == Some(local_stack::account::Account::Current) {
        // Not started by root: the project's owner runs the databases and gets everywhere.
        assert!(it.data(Database::Origin).exists());
        return;
    }
    assert!(!it.data(Database::Origin).exists());
    let note = |event: &local_stack::Event| match event {
        local_stack::Event::Note { text } => text.rsplit('"').nth(1).map(std::path::PathBuf::from),
        _ => None,
    };
    let dir = it.events.lock().unwrap().iter().find_map(note).unwrap();
    assert!(dir.join("data/origindb/PG_VERSION").exists(), "{}", dir.display());
    it.down(Volumes::Remove).await;
    assert!(!dir.exists());
}
