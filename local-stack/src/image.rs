//! What the custom database's image is built from: the project's Dockerfile, with what an application asks for beside it.
//!
//! ```text
//! customdb.Dockerfile  customdb-entrypoint.sh
//! application/packages      Debian packages, a line each
//! application/preload       libraries that are loaded at the start, with commas
//! application/build/NAME/   build steps: build.sh and what it needs
//! ```

use std::path::Path;

use app_folder::AppFolder;

use crate::error::Error;

/// Files of the project that every image is made with.
const FILES: [&str; 2] = ["customdb.Dockerfile", "customdb-entrypoint.sh"];

/// Of which version of the server packages are is known in the build only.
const MAJOR: &str = "PG_MAJOR";

/// Fills the folder `into`, which need not be there, as a build context.
///
/// # Errors
/// What is wrong with the application's list, and what the system refuses.
pub fn stage(root: &Path, folder: &AppFolder, into: &Path) -> Result<(), Error> {
    let packages = folder.packages()?;
    let application = into.join("application");
    let write = |path: &Path, text: String| {
        std::fs::write(path, text).map_err(|source| Error::File {
            doing: "write",
            path: path.to_owned(),
            source,
        })
    };
    if into.exists() {
        // What was asked for earlier does not come along.
        std::fs::remove_dir_all(into).map_err(|source| Error::File {
            doing: "remove",
            path: into.to_owned(),
            source,
        })?;
    }
    make(&application)?;
    for file in FILES {
        copy(&root.join("local-stack/docker").join(file), &into.join(file))?;
    }
    let lines = |list: Vec<String>| list.into_iter().map(|it| it + "\n").collect::<String>();
    write(&application.join("packages"), lines(packages.debian(MAJOR)))?;
    // The image preloads pg_cron by itself.
    let preload: Vec<String> = packages.preload().into_iter().filter(|it| it != "pg_cron").collect();
    write(&application.join("preload"), preload.join(","))?;
    for step in packages.builds() {
        copy_all(&folder.path().join("custom").join(step), &application.join("build").join(step))?;
    }
    Ok(())
}

fn make(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir).map_err(|source| Error::File { doing: "make", path: dir.to_owned(), source })
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let copied = std::fs::copy(from, to);
    copied.map(drop).map_err(|source| Error::File { doing: "copy", path: from.to_owned(), source })
}

/// A folder with what is in it; links are followed, as a build context may not lead out of itself.
fn copy_all(from: &Path, to: &Path) -> Result<(), Error> {
    make(to)?;
    let fail = |source| Error::File { doing: "read", path: from.to_owned(), source };
    for entry in std::fs::read_dir(from).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() { copy_all(&path, &target)? } else { copy(&path, &target)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_has_what_the_application_asks_for_and_nothing_of_before() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let (app, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let context = dir.path().join("context");
        let write = |name: &str, text: &str| {
            let path = app.path().join("custom").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let text = "postgresql-18-pgvector\npostgresql-18-pgaudit\npreload pg_cron\nbuild words\n";
        write("packages.txt", text);
        let folder = AppFolder::open(app.path()).unwrap();
        let error = stage(root, &folder, &context).unwrap_err();
        assert!(error.to_string().contains("custom/words/build.sh"), "{error}");

        write("words/build.sh", "make install\n");
        write("words/src/words.control", "");
        stage(root, &folder, &context).unwrap();
        let read = |name: &str| std::fs::read_to_string(context.join("application").join(name)).unwrap();
        assert_eq!(read("packages"), "postgresql-PG_MAJOR-pgvector\npostgresql-PG_MAJOR-pgaudit\n");
        assert_eq!(read("preload"), "pgaudit");
        assert_eq!(read("build/words/src/words.control"), "");
        assert!(context.join("customdb.Dockerfile").is_file());

        write("packages.txt", "# nothing\n");
        stage(root, &folder, &context).unwrap();
        assert_eq!((read("packages"), read("preload")), (String::new(), String::new()));
        assert!(!context.join("application/build").exists());
    }
}
