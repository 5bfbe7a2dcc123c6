//! Plan data, apart from the planner that fills it.

/// A read plan with its embeds.
#[derive(Debug, Clone, Default)]
pub struct ReadPlanTree {}
/// An insert, update or delete.
#[derive(Debug, Clone, Default)]
pub struct MutatePlan {}
/// A function call.
#[derive(Debug, Clone, Default)]
pub struct CallPlan {}
