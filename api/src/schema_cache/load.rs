//! Reads the schema cache from the catalog.

/// Serialisation of maps whose keys are not strings, for `--dump-schema` and the admin server.
pub mod ser {
    use serde::ser::SerializeSeq;
    use serde::{Serialize, Serializer};

    /// Writes a map as an array of `[key, value]` pairs.
    pub fn map_as_pairs<'a, S, M, K, V>(map: &'a M, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        &'a M: IntoIterator<Item = (&'a K, &'a V)>,
        K: Serialize + 'a,
        V: Serialize + 'a,
    {
        let mut seq = serializer.serialize_seq(None)?;
        for pair in map {
            seq.serialize_element(&pair)?;
        }
        seq.end()
    }
}
