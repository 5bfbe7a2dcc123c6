//! Rows of the catalog's queries as objects.

use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::Address;
use crate::acl::Grant;
use crate::error::Error;
use crate::id::{Id, Kind};
use crate::model::{Body, Object};

/// An object and where it stands in the catalog.
pub(super) fn object(kind: Kind, row: &Row) -> Result<(Address, Object), Error> {
    let address = (row.get(0), row.get(1), row.get(2));
    let id = Id { kind, schema: row.get(3), name: row.get(4), sub: row.get(5) };
    let owner: Option<String> = row.get(6);
    // Columns go with their table's owner, who is read for the rights only.
    let body = body(kind, row.get(9)).map_err(|it| Error::Row { object: id.to_string(), source: it })?;
    let object = Object {
        owner,
        acl: grants(row.get(7))?,
        comment: row.get(8),
        body,
        needs: Default::default(),
        falls_with: Default::default(),
        id,
    };
    Ok((address, object))
}

/// A list of rights.
pub(super) fn grants(json: Option<&str>) -> Result<Option<Vec<Grant>>, Error> {
    let Some(json) = json else { return Ok(None) };
    let list: Vec<(String, String, bool, String)> = serde_json::from_str(json)
        .map_err(|it| Error::Row { object: "a list of rights".to_owned(), source: it })?;
    let grant = |(grantee, privilege, grantable, grantor)| Grant { grantee, privilege, grantable, grantor };
    Ok(Some(list.into_iter().map(grant).collect()))
}

fn body(kind: Kind, json: &str) -> Result<Body, serde_json::Error> {
    fn of<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
        serde_json::from_str(json)
    }
    Ok(match kind {
        Kind::Schema => Body::Schema,
        Kind::Extension => Body::Extension(of(json)?),
        Kind::Wrapper => Body::Wrapper(of(json)?),
        Kind::Server => Body::Server(of(json)?),
        Kind::Mapping => Body::Mapping(of(json)?),
        Kind::Collation => Body::Collation(of(json)?),
        Kind::Type => Body::Type(of(json)?),
        Kind::DomainConstraint => Body::DomainConstraint(of(json)?),
        Kind::Sequence => Body::Sequence(of(json)?),
        Kind::SequenceOwner => Body::SequenceOwner(of(json)?),
        Kind::Relation => Body::Relation(of(json)?),
        Kind::Column => Body::Column(of(json)?),
        Kind::Default => Body::Default(of(json)?),
        Kind::Attach => Body::Attach(of(json)?),
        Kind::Routine => Body::Routine(of(json)?),
        Kind::Constraint => Body::Constraint(of(json)?),
        Kind::Index => Body::Index(of(json)?),
        Kind::IndexAttach => Body::IndexAttach(of(json)?),
        Kind::Statistics => Body::Statistics(of(json)?),
        Kind::Rule => Body::Rule(of(json)?),
        Kind::Trigger => Body::Trigger(of(json)?),
        Kind::Policy => Body::Policy(of(json)?),
        Kind::EventTrigger => Body::EventTrigger(of(json)?),
        Kind::Publication => Body::Publication(of(json)?),
        Kind::PublicationTable => Body::PublicationTable(of(json)?),
        Kind::PublicationSchema => Body::PublicationSchema,
    })
}
