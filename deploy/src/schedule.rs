//! Runs stacks as soon as those they wait for are done, as many at once as the graph allows.
//!
//! Knows nothing of CloudFormation. A failed stack keeps those behind it from starting; everything else goes on, since a
//! half-done run that is continued later is cheaper than one that was cut short.

use std::{collections::BTreeMap, future::Future};

use futures_util::{StreamExt, stream::FuturesUnordered};
use infra_cfn::graph::Graph;

/// In which direction the graph is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What is imported from comes first.
    Forward,
    /// What imports comes first.
    Reverse,
}

/// How a stack ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending<T, E> {
    /// It did what it should.
    Done(T),
    /// It did not.
    Failed(E),
    /// It was not started because of another one.
    Skipped {
        /// The one that failed.
        because_of: String,
    },
}

/// The waves of a run in a direction.
pub fn waves(graph: &Graph, direction: Direction) -> Vec<Vec<String>> {
    let mut waves: Vec<Vec<String>> =
        graph.waves().into_iter().map(|wave| wave.into_iter().map(str::to_owned).collect()).collect();
    if direction == Direction::Reverse {
        waves.reverse();
    }
    waves
}

/// Runs every stack of a graph. `skipped` is called when a stack is given up, with the stack that is the reason and how that
/// one failed.
pub async fn run<T, E, F>(
    graph: &Graph,
    direction: Direction,
    start: impl Fn(String) -> F,
    mut skipped: impl FnMut(&str, &str, Option<&E>),
) -> BTreeMap<String, Ending<T, E>>
where
    F: Future<Output = Result<T, E>>,
{
    let waits_for = |stack: &str| -> Vec<String> {
        match direction {
            Direction::Forward => graph.needs(stack).map(str::to_owned).collect(),
            Direction::Reverse => graph.needed_by(stack).map(str::to_owned).collect(),
        }
    };
    let mut waiting: Vec<String> = waves(graph, direction).into_iter().flatten().collect();
    let mut ended: BTreeMap<String, Ending<T, E>> = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    loop {
        let mut still_waiting = Vec::new();
        for stack in waiting {
            let needs = waits_for(&stack);
            let culprit = needs.iter().find_map(|need| match ended.get(need)? {
                Ending::Done(_) => None,
                Ending::Failed(_) => Some(need.clone()),
                Ending::Skipped { because_of } => Some(because_of.clone()),
            });
            if let Some(because_of) = culprit {
                let how = match ended.get(&because_of) {
                    Some(Ending::Failed(err)) => Some(err),
                    _ => None,
                };
                skipped(&stack, &because_of, how);
                ended.insert(stack, Ending::Skipped { because_of });
            } else if needs.iter().all(|need| ended.contains_key(need)) {
                let future = start(stack.clone());
                running.push(async move { (stack, future.await) });
            } else {
                still_waiting.push(stack);
            }
        }
        waiting = still_waiting;
        match running.next().await {
            Some((stack, Ok(value))) => ended.insert(stack, Ending::Done(value)),
            Some((stack, Err(err))) => ended.insert(stack, Ending::Failed(err)),
            None => break,
        };
    }
    ended
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use infra_cfn::Template;

    use super::*;

    fn graph(stacks: &[(&str, &[&str])]) -> Graph {
        let templates: Vec<(&str, Template)> = stacks
            .iter()
            .map(|(name, from)| {
                let imports: Vec<String> = from.iter().map(|it| format!("!ImportValue app-{it}")).collect();
                let text = format!(
                    "Resources: {{ A: {{ Type: T, Properties: {{ X: [{}] }} }} }}\nOutputs: {{ O: {{ Value: 1, Export: {{ Name: app-{name} }} }} }}",
                    imports.join(", ")
                );
                (*name, Template::parse(&text).unwrap())
            })
            .collect();
        Graph::build("app", &templates.iter().map(|(name, it)| (*name, it)).collect::<Vec<_>>()).unwrap()
    }

    /// Runs and returns the order of starts and ends.
    async fn trace(graph: &Graph, direction: Direction, failing: &'static str) -> Vec<String> {
        let log = Mutex::new(Vec::new());
        let add = &|text: String| log.lock().unwrap().push(text);
        let start = |stack: String| {
            add(format!("+{stack}"));
            async move {
                // Longer for s3 than for all the others together.
                tokio::time::sleep(Duration::from_secs(if stack == "s3" { 100 } else { 1 })).await;
                let ended = if stack == failing { Err(()) } else { Ok(()) };
                add(format!("-{stack}"));
                ended
            }
        };
        run(graph, direction, start, |stack, because_of, _| add(format!("{stack} skipped for {because_of}")))
            .await;
        log.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn stacks_start_as_soon_as_they_can() {
        let graph = graph(&[("vpc", &[]), ("s3", &[]), ("rds", &["vpc"]), ("compute", &["rds", "vpc"])]);
        let order = trace(&graph, Direction::Forward, "").await;
        assert_eq!(order, ["+vpc", "+s3", "-vpc", "+rds", "-rds", "+compute", "-compute", "-s3"]);
        let order = trace(&graph, Direction::Reverse, "").await;
        assert_eq!(order, ["+compute", "+s3", "-compute", "+rds", "-rds", "+vpc", "-vpc", "-s3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_stops_what_waits_for_it_and_nothing_else() {
        let graph = graph(&[("vpc", &[]), ("s3", &[]), ("rds", &["vpc"]), ("compute", &["rds"])]);
        let order = trace(&graph, Direction::Forward, "vpc").await;
        assert_eq!(order, ["+vpc", "+s3", "-vpc", "rds skipped for vpc", "compute skipped for vpc", "-s3"]);
    }
}
