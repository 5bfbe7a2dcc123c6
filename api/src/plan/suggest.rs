//! Similar names for what was not found.
//!
//! Which name counts as similar is wire-visible, so the measure is fixed: candidates are those that
//! share letter groups with the query (groups of three; of two when none of these leads anywhere), the
//! 50 nearest by cosine of their group counts; among them the one with the smallest edit distance
//! relative to the longer name wins, if it is near enough.

use std::collections::{BTreeSet, HashMap};

use crate::schema_cache::SchemaCache;
use crate::schema_cache::identifiers::QualifiedIdentifier;
use crate::schema_cache::routine::Routine;

/// Names of tables and functions are only suggested when they are this near: a caller who may not
/// know them should not find them by guessing.
const STRICT: f64 = 0.75;
/// Other names.
const LENIENT: f64 = 0.33;
/// With this many tables or more in a schema the search would cost too much.
const MAX_TABLES: usize = 500;
/// Candidates that edit distance is computed for.
const MAX_CANDIDATES: usize = 50;

/// A table of the same schema that resembles `qi`.
pub(super) fn table(cache: &SchemaCache, qi: &QualifiedIdentifier) -> Option<String> {
    let names: BTreeSet<&str> =
        cache.tables.keys().filter(|known| known.schema == qi.schema).map(|known| &*known.name).collect();
    if names.len() >= MAX_TABLES {
        return None;
    }
    best(names, &qi.name, STRICT)
}

/// For a missing relationship: a similar relation and the name it could replace: the origin's when that
/// has no relationships at all, else the target's. None when the target itself exists.
pub(super) fn relationship(
    cache: &SchemaCache,
    schema: &str,
    origin: &str,
    target: &str,
) -> Option<(String, String)> {
    let key = (QualifiedIdentifier::new(schema, origin), schema.to_owned());
    if let Some(relationships) = cache.relationships.get(&key) {
        let names: BTreeSet<&str> =
            relationships.iter().map(|relationship| &*relationship.foreign_table().name).collect();
        let exists = names.iter().any(|name| name.to_lowercase() == target.to_lowercase());
        return if exists {
            None
        } else {
            best(names, target, LENIENT).map(|name| (name, target.to_owned()))
        };
    }
    let names: BTreeSet<&str> = cache
        .relationships
        .keys()
        .filter(|(_, leads_to)| leads_to == schema)
        .map(|(table, _)| &*table.name)
        .collect();
    best(names, origin, LENIENT).map(|name| (name, origin.to_owned()))
}

/// For a missing function: a similar name, or, when the name exists, the name with the most similar
/// set of arguments.
pub(super) fn function(
    cache: &SchemaCache,
    qi: &QualifiedIdentifier,
    args: &BTreeSet<String>,
    overloads: &[Routine],
) -> Option<String> {
    if overloads.is_empty() {
        let names: BTreeSet<&str> = cache
            .routines
            .keys()
            .filter(|known| known.schema == qi.schema)
            .map(|known| &*known.name)
            .collect();
        return best(names, &qi.name, STRICT);
    }
    let signatures: Vec<String> = overloads
        .iter()
        .map(|routine| {
            let mut names: Vec<&str> = routine.params.iter().map(|param| &*param.name).collect();
            names.sort_unstable();
            format!("({})", names.join(", "))
        })
        .collect();
    let given = format!("({})", args.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
    best(signatures.iter().map(String::as_str), &given, LENIENT)
        .map(|signature| format!("{}{signature}", qi.name))
}

/// The candidate most similar to `query`, when its score reaches `min_score`.
fn best<'a>(candidates: impl IntoIterator<Item = &'a str>, query: &str, min_score: f64) -> Option<String> {
    let query = query.to_lowercase();
    let mut lowercase: Vec<(String, &str)> = Vec::new();
    for candidate in candidates {
        let key = candidate.to_lowercase();
        if key == query {
            return Some(candidate.to_owned());
        }
        if lowercase.iter().all(|(known, _)| *known != key) {
            lowercase.push((key, candidate));
        }
    }
    // A caller may send names of any length. What cannot be near enough to any candidate is not compared.
    if !lowercase.iter().any(|(key, _)| can_reach(&query, key, min_score)) {
        return None;
    }
    [3, 2].into_iter().find_map(|size| best_by_grams(&lowercase, &query, size, min_score))
}

/// Whether the lengths of two names alone allow this score: each letter that one has more is an edit.
fn can_reach(left: &str, right: &str, score: f64) -> bool {
    let (left, right) = (left.chars().count(), right.chars().count());
    let longer = left.max(right);
    longer == 0 || left.min(right) as f64 / longer as f64 >= score
}

fn best_by_grams(candidates: &[(String, &str)], query: &str, size: usize, min_score: f64) -> Option<String> {
    let query_grams = grams(query, size);
    let magnitude = norm(&query_grams);
    let mut near: Vec<(f64, usize)> = candidates
        .iter()
        .enumerate()
        .filter_map(|(index, (key, _))| {
            let own = grams(key, size);
            let common: usize =
                query_grams.iter().map(|(gram, count)| count * own.get(gram).copied().unwrap_or(0)).sum();
            (common > 0).then(|| (common as f64 / (magnitude * norm(&own)), index))
        })
        .collect();
    near.sort_by(|left, right| right.0.total_cmp(&left.0));
    near.truncate(MAX_CANDIDATES);
    let mut best: Option<(f64, usize)> = None;
    for (_, index) in near {
        if !can_reach(query, &candidates[index].0, min_score) {
            continue;
        }
        let score = similarity(query, &candidates[index].0);
        if score >= min_score && best.is_none_or(|(known, _)| score > known) {
            best = Some((score, index));
        }
    }
    best.map(|(_, index)| candidates[index].1.to_owned())
}

/// Letter groups of `-word-` with their counts; only letters, digits, blanks and commas make groups.
fn grams(word: &str, size: usize) -> HashMap<Vec<char>, usize> {
    let kept = word.chars().filter(|c| c.is_alphanumeric() || c.is_whitespace() || *c == ',');
    let letters: Vec<char> = std::iter::once('-').chain(kept).chain(std::iter::once('-')).collect();
    let mut counts = HashMap::new();
    for gram in letters.windows(size) {
        *counts.entry(gram.to_vec()).or_insert(0) += 1;
    }
    counts
}

fn norm(grams: &HashMap<Vec<char>, usize>) -> f64 {
    (grams.values().map(|count| count * count).sum::<usize>() as f64).sqrt()
}

/// 1 for equal names, 0 for names with nothing in common: edit distance relative to the longer name.
fn similarity(left: &str, right: &str) -> f64 {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let longer = left.len().max(right.len());
    if longer == 0 {
        return 1.0;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    (longer - row[right.len()]) as f64 / longer as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_wins() {
        let names = ["projects", "clients", "tasks"];
        assert_eq!(best(names, "projectx", STRICT).as_deref(), Some("projects"));
        assert_eq!(
            best(names, "projecxx", STRICT).as_deref(),
            Some("projects"),
            "exactly 0.75 is near enough"
        );
        assert_eq!(best(names, "projxxxx", STRICT), None);
        assert_eq!(best(names, "projxxxx", LENIENT).as_deref(), Some("projects"));
    }

    #[test]
    fn case_and_punctuation() {
        assert_eq!(best(["Films"], "films", STRICT).as_deref(), Some("Films"));
        assert_eq!(
            best(["car_model_sales"], "car_model_sales_202101", LENIENT).as_deref(),
            Some("car_model_sales")
        );
    }

    #[test]
    fn signatures() {
        let signatures = ["(name, param, val)", "(attr, id)"];
        for (given, expected) in [
            ("(nam, pqaram, vall)", Some("(name, param, val)")),
            ("(param, val)", Some("(name, param, val)")),
            ("(attrs, id)", Some("(attr, id)")),
            ("(id)", Some("(attr, id)")),
            ("(noclosealternative)", None),
        ] {
            assert_eq!(best(signatures, given, LENIENT).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn names_that_are_too_long_are_not_near() {
        for query in ["projects_".repeat(6_000), "a".repeat(60_000)] {
            assert_eq!(best(["projects", "projects_projects"], &query, LENIENT), None);
        }
        // As long as it may just be: a third of it is the name.
        assert!(can_reach("abcabcabc", "abc", LENIENT) && !can_reach("abcabcabca", "abc", LENIENT));
    }

    #[test]
    fn similarity_is_relative_edit_distance() {
        assert!((similarity("kitten", "sitting") - (1.0 - 3.0 / 7.0)).abs() < 1e-12);
        assert!((similarity("", "") - 1.0).abs() < f64::EPSILON);
        assert!(similarity("abc", "").abs() < f64::EPSILON);
    }
}
