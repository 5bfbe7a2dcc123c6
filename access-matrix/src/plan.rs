//! What a plan says: whether it can give any row, and which relation it writes to. Pure.

use serde_json::Value;

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node.get("Plans").and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a node can give no row, as the planner has proven it.
pub(crate) fn is_empty(node: &Value) -> bool {
    if text(node, "One-Time Filter") == "false" {
        return true;
    }
    let child = |relationship: &str| {
        children(node).find(|it| text(it, "Parent Relationship") == relationship).is_some_and(is_empty)
    };
    match text(node, "Node Type") {
        "Append" | "Merge Append" => {
            let mut members =
                children(node).filter(|it| text(it, "Parent Relationship") == "Member").peekable();
            members.peek().is_some() && members.all(is_empty)
        }
        "Nested Loop" | "Hash Join" | "Merge Join" => match text(node, "Join Type") {
            "Left" | "Anti" => child("Outer"),
            "Right" | "Right Anti" => child("Inner"),
            "Full" => child("Outer") && child("Inner"),
            _ => child("Outer") || child("Inner"),
        },
        // Without a key, an aggregate gives a row for no rows.
        "Aggregate" => node.get("Group Key").is_some() && child("Outer"),
        // A condition that is not constant does not depend on what lies below.
        _ => child("Outer") || child("Subquery"),
    }
}

/// Schema and name of the relation that a plan writes to.
pub(crate) fn written(node: &Value) -> Option<(String, String)> {
    if text(node, "Node Type") == "ModifyTable" {
        return Some((text(node, "Schema").to_owned(), text(node, "Relation Name").to_owned()));
    }
    children(node).find_map(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nothing(relationship: &str) -> Value {
        json!({"Node Type": "Result", "One-Time Filter": "false", "Parent Relationship": relationship})
    }

    fn scan(relationship: &str) -> Value {
        json!({"Node Type": "Seq Scan", "Relation Name": "t", "Parent Relationship": relationship})
    }

    #[test]
    fn a_plan_is_empty_where_its_shape_says_so() {
        let join = |kind: &str, plans: [Value; 2]| json!({"Node Type": "Hash Join", "Join Type": kind, "Plans": plans});
        assert!(is_empty(&nothing("")));
        assert!(!is_empty(&scan("")));
        assert!(is_empty(&join("Inner", [scan("Outer"), nothing("Inner")])));
        assert!(!is_empty(&join("Left", [scan("Outer"), nothing("Inner")])));
        assert!(is_empty(&join("Left", [nothing("Outer"), scan("Inner")])));
        let aggregate = json!({"Node Type": "Aggregate", "Plans": [nothing("Outer")]});
        assert!(!is_empty(&aggregate));
        let grouped = json!({"Node Type": "Aggregate", "Group Key": ["a"], "Plans": [nothing("Outer")]});
        assert!(is_empty(&grouped));
        let append = |second| json!({"Node Type": "Append", "Plans": [nothing("Member"), second]});
        assert!(is_empty(&append(nothing("Member"))) && !is_empty(&append(scan("Member"))));
    }

    #[test]
    fn the_written_relation_is_the_base_table() {
        let plan = json!({"Node Type": "ModifyTable", "Schema": "api", "Relation Name": "own", "Plans": [nothing("Outer")]});
        assert!(is_empty(&plan));
        assert_eq!(written(&plan), Some(("api".to_owned(), "own".to_owned())));
        assert_eq!(written(&scan("")), None);
    }
}
