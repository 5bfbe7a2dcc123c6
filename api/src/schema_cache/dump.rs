//! Serialisation of the cache the way PostgREST writes it, and back: maps with structured keys as lists of
//! `[key, value]`, variants as `{"tag": …, "contents": …}`.

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes a map as a list of pairs, ordered by key so that two dumps of one database are equal.
pub(super) fn sorted_pairs<'a, S, M, K, V>(map: &'a M, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    &'a M: IntoIterator<Item = (&'a K, &'a V)>,
    K: Serialize + Ord + 'a,
    V: Serialize + 'a,
{
    let mut pairs: Vec<(&K, &V)> = map.into_iter().collect();
    pairs.sort_unstable_by_key(|&(key, _)| key);
    let mut seq = serializer.serialize_seq(Some(pairs.len()))?;
    for pair in &pairs {
        seq.serialize_element(pair)?;
    }
    seq.end()
}

/// Writes a value below the key `contents`, for a variant that holds a record among variants that are records.
pub(super) fn as_contents<S, T>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Serialize,
{
    let mut record = serializer.serialize_struct("Contents", 1)?;
    record.serialize_field("contents", value)?;
    record.end()
}

/// Reads what [`sorted_pairs`] writes.
pub(super) fn from_pairs<'de, D, M, K, V>(deserializer: D) -> Result<M, D::Error>
where
    D: Deserializer<'de>,
    M: IntoIterator<Item = (K, V)> + FromIterator<(K, V)>,
    K: Deserialize<'de>,
    V: Deserialize<'de>,
{
    Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
}

/// Reads what [`as_contents`] writes.
pub(super) fn from_contents<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    struct Contents<T> {
        contents: T,
    }
    Ok(Contents::deserialize(deserializer)?.contents)
}
