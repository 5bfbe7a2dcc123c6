//! [`crate::api_request::ApiRequest`] + schema cache → [`ActionPlan`]. Pure.

pub mod types;

use crate::api_request::types::{InvokeMethod, Mutation};
use crate::media_type::MediaType;
use crate::schema_cache::identifiers::{FieldName, QualifiedIdentifier, Schema};
use crate::schema_cache::routine::{MediaHandler, Routine};
use types::{CallPlan, MutatePlan, ReadPlanTree};

/// Transaction access mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxMode {
    /// `READ ONLY`.
    Read,
    /// `READ WRITE`.
    Write,
}

/// What kind of request a [`CrudPlan`] answers.
#[derive(Debug, Clone)]
pub enum CrudKind {
    /// Read a relation.
    Read {
        /// `HEAD`.
        headers_only: bool,
    },
    /// Write a relation.
    Mutate {
        /// The write.
        mutation: Mutation,
        /// Its plan.
        plan: MutatePlan,
        /// Primary key of the target, for `Preference-Applied: resolution`.
        pk_cols: Vec<FieldName>,
    },
    /// Call a function.
    Call {
        /// The function.
        routine: Routine,
        /// Its plan.
        plan: CallPlan,
        /// How it was invoked.
        method: InvokeMethod,
    },
}

/// A plan that reads or writes data.
#[derive(Debug, Clone)]
pub struct CrudPlan {
    /// Target as named in the URL (after schema resolution).
    pub qi: QualifiedIdentifier,
    /// Kind-specific part.
    pub kind: CrudKind,
    /// What to return, as a tree of embeds.
    pub read: ReadPlanTree,
    /// Access mode.
    pub tx_mode: TxMode,
    /// How rows become a body.
    pub handler: MediaHandler,
    /// Negotiated response type.
    pub media: MediaType,
}

/// The root document.
#[derive(Debug, Clone)]
pub struct InspectPlan {
    /// `HEAD`.
    pub headers_only: bool,
    /// Schema described.
    pub schema: Schema,
}

/// A planned request.
#[derive(Debug, Clone)]
pub enum ActionPlan {
    /// Data; as an EXPLAIN plan when [`CrudPlan::media`] is `VndPlan`.
    Crud(Box<CrudPlan>),
    /// The root document.
    Inspect(InspectPlan),
    /// `OPTIONS` on a relation: answered from the cache.
    RelationInfo(QualifiedIdentifier),
    /// `OPTIONS` on a function.
    RoutineInfo(Box<Routine>),
    /// `OPTIONS` on the root.
    SchemaInfo,
}
