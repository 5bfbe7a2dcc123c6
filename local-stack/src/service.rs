//! The services of a stack, what each needs, and the states it may pass through.
//!
//! The graph says who must be ready before whom. The transitions are one table: a driver that tries another one has a
//! bug and gets an error instead of a stack in an impossible state.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceName {
    /// The system of record.
    OriginDb,
    /// The database that is served, joined to the origin by `postgres_fdw`.
    CustomDb,
    /// The REST server.
    Api,
    /// The animals app; part of a stack only where it was asked for.
    Animals,
}

impl ServiceName {
    /// All that there can be; [`StackConfig::services`](crate::StackConfig::services) says which a stack has.
    pub const ALL: [Self; 4] = [Self::OriginDb, Self::CustomDb, Self::Api, Self::Animals];

    /// The databases.
    pub const DATABASES: [Self; 2] = [Self::OriginDb, Self::CustomDb];

    /// The name, as in `status`, in the compose file and as a log's file name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OriginDb => "origindb",
            Self::CustomDb => "customdb",
            Self::Api => "api",
            Self::Animals => "animals",
        }
    }

    /// The services that must be ready before this one can be.
    pub const fn needs(self) -> &'static [Self] {
        match self {
            Self::OriginDb => &[],
            // The app's table is on the origin's server.
            Self::CustomDb | Self::Animals => &[Self::OriginDb],
            Self::Api => &[Self::CustomDb],
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| {
            format!("unknown service \"{text}\", expected one of origindb, customdb, api, animals")
        })
    }
}

/// Why services cannot be put in order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A service needs one that is not in the graph.
    #[error("service \"{service}\" needs \"{missing}\", which is not part of the stack")]
    Missing {
        /// Who needs it.
        service: String,
        /// What is not there.
        missing: String,
    },
    /// Services need each other in a circle.
    #[error("services need each other in a circle: {}", services.join(", "))]
    Cycle {
        /// The services that can never be ready.
        services: Vec<String>,
    },
}

/// Puts services in order: each level needs only earlier ones, and its members are independent of each other.
pub fn levels<N: Copy + Ord + fmt::Display>(graph: &BTreeMap<N, Vec<N>>) -> Result<Vec<Vec<N>>, GraphError> {
    for (service, needs) in graph {
        if let Some(missing) = needs.iter().find(|it| !graph.contains_key(it)) {
            return Err(GraphError::Missing { service: service.to_string(), missing: missing.to_string() });
        }
    }
    let mut levels: Vec<Vec<N>> = Vec::new();
    let mut left: BTreeMap<N, &Vec<N>> = graph.iter().map(|(name, needs)| (*name, needs)).collect();
    while !left.is_empty() {
        let is_ready = |needs: &[N]| needs.iter().all(|it| !left.contains_key(it));
        let level: Vec<N> = left.iter().filter(|(_, needs)| is_ready(needs)).map(|(name, _)| *name).collect();
        if level.is_empty() {
            return Err(GraphError::Cycle { services: left.keys().map(ToString::to_string).collect() });
        }
        left.retain(|name, _| !level.contains(name));
        levels.push(level);
    }
    Ok(levels)
}

/// The stack's own services in order.
pub fn start_order() -> Result<Vec<ServiceName>, GraphError> {
    let graph = ServiceName::ALL.into_iter().map(|it| (it, it.needs().to_vec())).collect();
    Ok(levels(&graph)?.into_iter().flatten().collect())
}

/// Where a service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// Not running, as it should be.
    Stopped,
    /// Its data folder or image is being made.
    Preparing,
    /// Its process or container is coming up.
    Starting,
    /// It answers; its content is being set up.
    Configuring,
    /// Healthy: it answered a question of its own protocol.
    Running,
    /// Going down.
    Stopping,
    /// Not running or not answering, though it should.
    Failed,
}

/// All legal transitions. Whatever is not listed is refused.
const TRANSITIONS: [(ServiceState, ServiceState); 21] = {
    use ServiceState::{Configuring, Failed, Preparing, Running, Starting, Stopped, Stopping};
    [
        (Stopped, Preparing),
        (Stopped, Starting),
        // A service that a former, interrupted run left up.
        (Stopped, Configuring),
        (Preparing, Starting),
        (Preparing, Stopping),
        (Preparing, Failed),
        (Starting, Configuring),
        (Starting, Running),
        (Starting, Stopping),
        (Starting, Failed),
        (Configuring, Running),
        (Configuring, Stopping),
        (Configuring, Failed),
        (Running, Configuring),
        (Running, Stopping),
        (Running, Failed),
        (Stopping, Stopped),
        (Stopping, Failed),
        (Failed, Preparing),
        (Failed, Starting),
        (Failed, Stopping),
    ]
};

/// A transition that is not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("service \"{service}\" cannot go from {from:?} to {to:?}")]
pub struct IllegalTransition {
    /// The service.
    pub service: ServiceName,
    /// Where it stands.
    pub from: ServiceState,
    /// Where it was to go.
    pub to: ServiceState,
}

impl ServiceState {
    /// Whether a service in this state may go to `next`.
    pub fn may_become(self, next: Self) -> bool {
        TRANSITIONS.contains(&(self, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ServiceState::*;

    const STATES: [ServiceState; 7] = [Stopped, Preparing, Starting, Configuring, Running, Stopping, Failed];

    #[test]
    fn own_services_start_after_what_they_need() {
        let order = start_order().unwrap();
        assert_eq!(order.len(), ServiceName::ALL.len());
        let place = |service| order.iter().position(|it| *it == service).unwrap();
        for service in ServiceName::ALL {
            assert!(service.needs().iter().all(|needed| place(*needed) < place(service)), "{service}");
        }
    }

    #[test]
    fn independent_services_share_a_level() {
        let graph = BTreeMap::from([("c", vec!["a", "b"]), ("a", vec![]), ("b", vec![])]);
        assert_eq!(levels(&graph).unwrap(), vec![vec!["a", "b"], vec!["c"]]);
    }

    #[test]
    fn cycles_and_missing_services_are_named() {
        let cycle = BTreeMap::from([("a", vec!["b"]), ("b", vec!["a"]), ("c", vec![])]);
        assert_eq!(levels(&cycle), Err(GraphError::Cycle { services: vec!["a".into(), "b".into()] }));
        let missing = BTreeMap::from([("a", vec!["x"])]);
        assert_eq!(
            levels(&missing).unwrap_err().to_string(),
            "service \"a\" needs \"x\", which is not part of the stack"
        );
    }

    #[test]
    fn every_state_is_reachable_and_has_a_way_to_stopped() {
        let reach = |from: ServiceState| {
            let mut seen = vec![from];
            let mut at = 0;
            while let Some(state) = seen.get(at).copied() {
                seen.extend(
                    STATES
                        .into_iter()
                        .filter(|it| state.may_become(*it) && !seen.contains(it))
                        .collect::<Vec<_>>(),
                );
                at += 1;
            }
            seen
        };
        for state in STATES {
            assert!(reach(Stopped).contains(&state), "{state:?} is never reached");
            assert!(reach(state).contains(&Stopped), "{state:?} has no way out");
        }
    }

    #[test]
    fn transitions_outside_the_table_are_refused() {
        // The full matrix: a change of the table has to be made here too.
        let legal = [
            (Stopped, vec![Preparing, Starting, Configuring]),
            (Preparing, vec![Starting, Stopping, Failed]),
            (Starting, vec![Configuring, Running, Stopping, Failed]),
            (Configuring, vec![Running, Stopping, Failed]),
            (Running, vec![Configuring, Stopping, Failed]),
            (Stopping, vec![Stopped, Failed]),
            (Failed, vec![Preparing, Starting, Stopping]),
        ];
        for (from, tos) in legal {
            for to in STATES {
                assert_eq!(from.may_become(to), tos.contains(&to), "{from:?} -> {to:?}");
            }
        }
    }
}
