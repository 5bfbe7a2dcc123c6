//! Rooms and their order: which module may use which, read from the imports themselves.
//!
//! [`house`] declares the rooms of every crate, lowest first. [`imports`] reads the arrows, file to file: an
//! arrow says that code of one file names what another file defines. Two things are findings: an arrow from a
//! room to one above it, and a circle of files. Tests do not count, nor does what a part uses of the module
//! around it.

mod circles;
mod house;
mod imports;

use std::collections::{BTreeMap, BTreeSet};

use super::SourceFile;
use house::{CRATES, EXCEPTIONS, Rooms};
use imports::{Arrow, Sources};

pub(super) fn check(files: &[SourceFile]) -> Vec<String> {
    check_against(files, CRATES, EXCEPTIONS)
}

fn check_against(files: &[SourceFile], crates: &[Rooms], exceptions: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut needed: BTreeSet<(String, String)> = BTreeSet::new();
    for (folder, sources) in sources_by_crate(files) {
        let graph = imports::read(&folder, &sources);
        findings.extend(graph.unreadable);
        let Some(rooms) = crates.iter().find(|it| it.folder == folder) else {
            findings
                .push(format!("{folder}/: no order of rooms; declare one in xtask/src/tidy/rooms/house.rs"));
            continue;
        };
        findings.extend(undeclared(rooms, &sources));
        let is_excepted = |arrow: &Arrow| exceptions.contains(&(arrow.from.as_str(), arrow.to.as_str()));
        let (excepted, held): (Vec<Arrow>, Vec<Arrow>) = graph.arrows.into_iter().partition(is_excepted);
        findings.extend(held.iter().filter_map(|arrow| upwards(rooms, arrow)));
        findings.extend(circles::circles(&held).iter().map(|circle| describe(circle)));
        for arrow in excepted {
            if upwards(rooms, &arrow).is_some() || circles::leads_to(&held, &arrow.to, &arrow.from) {
                needed.insert((arrow.from, arrow.to));
            }
        }
    }
    for (from, to) in exceptions.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())) {
        if !needed.contains(&(from.clone(), to.clone())) {
            findings.push(format!(
                "xtask/src/tidy/rooms/house.rs: the exception {from} → {to} is not needed; remove it"
            ));
        }
    }
    findings
}

/// The library's files of every crate, or those of its binary where there is no library.
fn sources_by_crate(files: &[SourceFile]) -> BTreeMap<String, Sources<'_>> {
    let mut crates: BTreeMap<String, Sources<'_>> = BTreeMap::new();
    for file in files {
        let Some((folder, inner)) = file.path.split_once("/src/") else { continue };
        let (Some(text), true) = (&file.text, inner.ends_with(".rs")) else { continue };
        if folder.contains('/') || inner.starts_with("bin/") {
            continue;
        }
        crates.entry(folder.to_owned()).or_default().insert(inner.to_owned(), text);
    }
    for sources in crates.values_mut() {
        if sources.contains_key("lib.rs") {
            sources.remove("main.rs");
        }
    }
    crates
}

/// Rooms without a place in the order, and places without a room.
fn undeclared(rooms: &Rooms, sources: &Sources<'_>) -> Vec<String> {
    let there: BTreeSet<&str> =
        sources.keys().map(|it| room_of(it)).filter(|it| !matches!(*it, "lib" | "main")).collect();
    let declared: BTreeSet<&str> = rooms.order.iter().copied().collect();
    let table = "xtask/src/tidy/rooms/house.rs";
    let folder = rooms.folder;
    let missing = there.difference(&declared).map(|room| {
        format!("{folder}/src/{room}.rs: the room has no place in the order; give it one in {table}")
    });
    let gone = declared
        .difference(&there)
        .map(|room| format!("{table}: `{folder}` has no room `{room}`; remove it from the order"));
    missing.chain(gone).collect()
}

/// The room that a file of a crate's `src` folder belongs to.
fn room_of(inner: &str) -> &str {
    inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs")
}

/// What is wrong with an arrow that leads to a higher room.
fn upwards(rooms: &Rooms, arrow: &Arrow) -> Option<String> {
    let prefix = format!("{}/src/", rooms.folder);
    let place = |path: &str| {
        let room = room_of(path.strip_prefix(&prefix)?);
        rooms.order.iter().position(|it| *it == room)
    };
    let (from, to) = (place(&arrow.from)?, place(&arrow.to)?);
    (from < to).then(|| {
        format!(
            "{}: uses `{}` of {}; `{}` stands below `{}` and may not know it",
            arrow.from, arrow.name, arrow.to, rooms.order[from], rooms.order[to]
        )
    })
}

fn describe(circle: &[&Arrow]) -> String {
    let first = circle.first().map_or("", |it| it.from.as_str());
    let steps: String = circle.iter().map(|it| format!(" → {} (`{}`)", it.to, it.name)).collect();
    format!("{first}: imports in a circle: {first}{steps}; move what both need below them")
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    const HOUSE: &[Rooms] = &[Rooms { folder: "shop", order: &["stock", "till", "door"] }];

    fn found(files: &[(&str, &str)], exceptions: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![
            file("shop/src/lib.rs", "pub mod stock;\npub mod till;\npub mod door;\npub use door::Door;\n"),
            file("shop/src/stock.rs", "pub struct Shelf;\npub struct Bin;\n"),
            file("shop/src/till.rs", "use crate::stock::Shelf;\npub struct Till(Shelf);\n"),
            file("shop/src/door.rs", "pub struct Door;\n"),
        ];
        for (path, text) in files {
            all.retain(|it| it.path != *path);
            all.push(file(path, text));
        }
        check_against(&all, HOUSE, exceptions)
    }

    #[track_caller]
    fn check_one(files: &[(&str, &str)], parts: &[&str]) {
        let found = found(files, &[]);
        assert_eq!(found.len(), 1, "{found:#?}");
        for part in parts {
            assert!(found[0].contains(part), "`{part}` is not in {found:#?}");
        }
    }

    #[test]
    fn arrows_down_are_fine() {
        assert_eq!(found(&[], &[]), [""; 0]);
    }

    #[test]
    fn arrow_up_is_found_however_it_is_written() {
        for text in [
            "use crate::till::Till;\n",
            "use crate::{door, till::Till as T};\n",
            "pub fn open() { crate::till::ring(); }\n",
            "pub fn open(_: &super::till::Till) {}\n",
            "pub fn open() { let _ = format!(\"{}\", crate::till::TOTAL); }\n",
            "pub fn open() { use crate::till; till::ring(); }\n",
            "mod inner { pub type T = super::super::till::Till; }\n",
        ] {
            let text = text.replace("door, ", "");
            check_one(
                &[("shop/src/stock.rs", &text), ("shop/src/till.rs", "pub struct Till;\n")],
                &["shop/src/stock.rs: uses", "of shop/src/till.rs"],
            );
        }
    }

    #[test]
    fn names_that_are_passed_on_lead_to_where_they_are_defined() {
        check_one(
            &[("shop/src/stock.rs", "use crate::Door;\n")],
            &["shop/src/stock.rs: uses `crate::Door` of shop/src/door.rs"],
        );
    }

    #[test]
    fn circle_within_a_room_is_found() {
        check_one(
            &[
                ("shop/src/till.rs", "mod coin;\nmod note;\n"),
                ("shop/src/till/coin.rs", "use super::note::Note;\npub struct Coin;\n"),
                ("shop/src/till/note.rs", "use super::coin::Coin;\npub struct Note;\n"),
            ],
            &["circle", "shop/src/till/coin.rs", "shop/src/till/note.rs"],
        );
    }

    #[test]
    fn circle_through_a_part_is_found() {
        check_one(
            &[
                ("shop/src/till.rs", "mod coin;\nmod note;\npub struct Till(coin::Coin);\n"),
                ("shop/src/till/coin.rs", "use super::note::mint::Mint;\npub struct Coin;\n"),
                ("shop/src/till/note.rs", "pub mod mint;\nuse super::coin::Coin;\n"),
                ("shop/src/till/note/mint.rs", "pub struct Mint(super::super::coin::Coin);\n"),
            ],
            &["shop/src/till/coin.rs → shop/src/till/note/mint.rs", "→ shop/src/till/coin.rs"],
        );
    }

    #[test]
    fn part_may_use_what_is_around_it() {
        let files = [
            ("shop/src/till.rs", "mod coin;\npub struct Till(coin::Coin);\n"),
            ("shop/src/till/coin.rs", "pub struct Coin;\nimpl Coin { fn of(_: super::Till) {} }\n"),
        ];
        assert_eq!(found(&files, &[]), [""; 0]);
    }

    #[test]
    fn passing_on_a_part_is_no_use_of_it() {
        let files = [
            ("shop/src/till.rs", "mod coin;\npub use coin::Coin;\npub struct Till;\n"),
            ("shop/src/till/coin.rs", "use super::Till;\npub struct Coin(Till);\n"),
        ];
        assert_eq!(found(&files, &[]), [""; 0]);
    }

    #[test]
    fn tests_may_know_everything() {
        let files = [
            ("shop/src/stock.rs", "#[cfg(test)]\nmod tests { use crate::till::Till; }\n"),
            ("shop/src/till.rs", "#[cfg(test)]\nmod tests;\npub struct Till;\n"),
            ("shop/src/till/tests.rs", "use crate::door::Door;\n"),
        ];
        assert_eq!(found(&files, &[]), [""; 0]);
    }

    #[test]
    fn room_without_a_place_and_place_without_a_room_are_found() {
        check_one(&[("shop/src/attic.rs", "")], &["shop/src/attic.rs: the room has no place"]);
        let files = [file("shop/src/lib.rs", ""), file("shop/src/stock.rs", "")];
        let found = check_against(&files, HOUSE, &[]);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert_eq!(check_against(&[file("attic/src/lib.rs", "")], HOUSE, &[]).len(), 1);
    }

    #[test]
    fn exception_holds_and_is_found_when_it_is_not_needed() {
        let up = ("shop/src/stock.rs", "use crate::door::Door;\n");
        let exception = ("shop/src/stock.rs", "shop/src/door.rs");
        assert_eq!(found(&[up], &[exception]), [""; 0]);
        let found = found(&[], &[exception]);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].contains("is not needed"), "{found:#?}");
    }

    #[test]
    fn file_that_is_not_rust_is_found() {
        check_one(&[("shop/src/stock.rs", "fn {\n")], &["shop/src/stock.rs: cannot be read"]);
    }
}
