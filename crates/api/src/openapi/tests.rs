//! Whether the document says of each route what a reader needs.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::routes::Documented;

/// The routes with their methods, and what stands beside the handler as JSON.
fn calls() -> impl Iterator<Item = (String, String, Value)> {
    routes::documented().flat_map(|Documented { path, operations, .. }| {
        operations.into_iter().map(move |(method, described)| {
            let method = serde_json::to_value(method).unwrap().as_str().unwrap().to_owned();
            (path.clone(), method, serde_json::to_value((described.document)()).unwrap())
        })
    })
}

fn parts(path: &str) -> BTreeSet<String> {
    path.split('{').skip(1).map(|part| part.split('}').next().unwrap().to_owned()).collect()
}

#[test]
fn what_stands_beside_a_handler_is_true_of_its_route() {
    for (path, method, described) in calls() {
        let said = described["paths"].as_object().unwrap();
        let (beside, item) = said.iter().next().unwrap();
        assert!(
            *beside == path && item[&method].is_object(),
            "routes/mod.rs has {method} {path}, but the #[utoipa::path(…)] beside its handler says {beside}: {item}"
        );
        let parameters = item[&method]["parameters"].as_array().cloned().unwrap_or_default();
        let named = |p: &Value| (p["in"] == "path").then(|| p["name"].as_str().unwrap().to_owned());
        let named: BTreeSet<String> = parameters.iter().filter_map(named).collect();
        assert_eq!(
            named,
            parts(&path),
            "{method} {path}: params((\"NAME\" = TYPE, Path, description = \"…\")) in the #[utoipa::path(…)] beside its \
             handler is to name each part of the path in braces, and no other"
        );
    }
}

#[test]
fn every_call_is_explained() {
    let document = serde_json::to_value(document()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, method, _) in calls() {
        let call = &document["paths"][&path][&method];
        let place = format!("{method} {path}, in the #[utoipa::path(…)] beside its handler");
        assert!(
            ids.insert(call["operationId"].to_string()),
            "{place}: another call has the same id {}",
            call["operationId"]
        );
        assert!(call["summary"].as_str().is_some_and(|s| !s.is_empty()), "{place}: the handler needs a doc comment");
        let responses = call["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|status| status.starts_with('2')),
            "{place}: responses((status = 200, description = \"…\", body = VIEW)) is missing"
        );
        for (status, response) in responses {
            let explained =
                response["$ref"].is_string() || response["description"].as_str().is_some_and(|d| !d.is_empty());
            assert!(explained, "{place}: the answer {status} needs a description");
        }
        for parameter in call["parameters"].as_array().into_iter().flatten() {
            let explained = parameter["description"].as_str().is_some_and(|d| !d.is_empty());
            assert!(explained, "{place}: the parameter {} needs a description", parameter["name"]);
        }
    }
    let documented: usize =
        document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(documented, ids.len(), "the document has calls that are no routes");
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = serde_json::to_value(document()).unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} is not in the document");
    }
}
