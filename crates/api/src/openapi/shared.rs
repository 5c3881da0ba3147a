//! What holds for every call: the errors, the headers, the forms of a body, and the parameters of a page.

use std::collections::BTreeMap;

use logmon_core::page::{LIMIT_DEFAULT, LIMIT_MAX};
use serde::Serialize;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{AnyOf, Object, Type};
use utoipa::openapi::{Components, ContentBuilder, Header, Ref, RefOr, Response, Schema};
use utoipa::{IntoParams, IntoResponses, PartialSchema as _, ToSchema};

use super::inline;
use crate::routes::Place;

/// What the document says before all else.
pub const INTRODUCTION: &str = "\
LogMon collects logs over HTTP, raises alerts, and counts logs day by day.

Times are RFC 3339 in UTC. Lists are arrays, newest first; where there is more, the header `Link` has the address of the \
next page. Every GET also answers to HEAD, every path to OPTIONS, with the methods in `Allow`; another method gets 405. A \
path works with and without its last slash. A request may bring an `X-Request-Id` of up to 64 characters, or gets one; it is \
in the answer and in the server's log.

Bodies are JSON or forms; with `Content-Encoding` they may be compressed by gzip, deflate or zstd.";

const JSON: &str = "application/json";
/// The forms that DRF takes beside JSON.
const FORMS: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];

/// The page of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many rows at most.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    pub limit: Option<u32>,
    /// Where the page begins: from the `Link` of the page before.
    pub cursor: Option<String>,
}

// The attributes above take numbers only.
const _: () = assert!(LIMIT_DEFAULT == 100 && LIMIT_MAX == 1_000);

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detail {
    /// In a sentence.
    pub detail: String,
}

/// What is wrong, by the name of the field or parameter; `non_field_errors` has what belongs to none.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fields(BTreeMap<String, Wrong>);

/// What is wrong with a field.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Wrong {
    /// In sentences.
    Messages(Vec<String>),
    /// By the names of the fields within it.
    Within(BTreeMap<String, Vec<String>>),
}

/// Something on our side failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Failure {
    /// In a sentence, without the cause.
    pub detail: String,
    /// What the cause is found under in the server's log.
    pub request_id: String,
}

/// There is no such thing: for the `responses(…)` of a call whose path has an id.
#[derive(Debug)]
pub struct NoSuch;

/// Too many of these run already: for the `responses(…)` of a call that has a bound on how many do.
#[derive(Debug)]
pub struct Busy;

/// We or what we depend on failed: for the `responses(…)` of a call that is not below DRF's router, but needs the database.
#[derive(Debug)]
pub struct Failing;

impl IntoResponses for NoSuch {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answers(&[("404", "NotFound")])
    }
}

impl IntoResponses for Busy {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answers(&[("429", "TooMany")])
    }
}

impl IntoResponses for Failing {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answers(&FAILING)
    }
}

const FAILING: [(&str, &str); 2] = [("500", "Failure"), ("503", "Unavailable")];

fn answers(names: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    names.iter().map(|(status, name)| ((*status).to_owned(), Ref::from_response_name(*name).into())).collect()
}

/// Adds to an operation what holds for every call.
pub(super) fn complete(operation: &mut Operation, place: Place) {
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let has = |test: fn(&Parameter) -> bool| parameters.iter().any(|p| matches!(p, RefOr::T(p) if test(p)));
    let (is_list, has_query) =
        (has(|p| p.name == "cursor"), has(|p| p.parameter_in == utoipa::openapi::path::ParameterIn::Query));
    let mut add = |condition: bool, status: &str, name: &str| {
        if condition {
            let response = Ref::from_response_name(name).into();
            operation.responses.responses.entry(status.to_owned()).or_insert(response);
        }
    };
    add(has_query || operation.request_body.is_some(), "400", "Invalid");
    for (status, name) in [("408", "Late"), ("413", "TooLarge"), ("415", "UnsupportedMediaType")] {
        add(operation.request_body.is_some(), status, name);
    }
    for (status, name) in [("406", "NotAcceptable")].into_iter().chain(FAILING) {
        add(place == Place::BelowApi, status, name);
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        take_forms(body);
    }
    for response in inline(&mut operation.responses.responses) {
        response.headers.entry("X-Request-Id".to_owned()).or_insert_with(|| reference("RequestId"));
    }
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200").filter(|_| is_list) {
        response.headers.insert("Link".to_owned(), reference("Link"));
    }
}

/// A body that is JSON may also be a form.
fn take_forms(body: &mut RequestBody) {
    if let (1, Some(content)) = (body.content.len(), body.content.get(JSON).cloned()) {
        body.content.extend(FORMS.map(|form| (form.to_owned(), content.clone())));
    }
}

/// Adds what the operations refer to.
pub(super) fn add_to(components: &mut Components) {
    let errors: [(&str, RefOr<Schema>); 4] = [
        ("Detail", Detail::schema()),
        ("Fields", Fields::schema()),
        ("Wrong", Wrong::schema()),
        ("Failure", Failure::schema()),
    ];
    components.schemas.extend(errors.map(|(name, schema)| (name.to_owned(), schema)));
    let (fields, detail, failure) = ("Fields", "Detail", "Failure");
    for (name, description, schemas) in [
        (
            "Invalid",
            "A field or parameter is wrong, every one that is; or the body cannot be read.",
            &[fields, detail][..],
        ),
        ("NotFound", "There is no such thing.", &[detail]),
        ("NotAcceptable", "The `Accept` header leaves out JSON.", &[detail]),
        ("Late", "The body did not arrive within 10 s.", &[detail]),
        (
            "TooLarge",
            "The body is larger than `BODY_LIMIT`, or than 100 times its compressed form, or has more than 10,000 records.",
            &[detail],
        ),
        ("UnsupportedMediaType", "The body's `Content-Type` or `Content-Encoding` is not taken.", &[detail]),
        ("TooMany", "Too many of these run already: the same request may succeed in a moment.", &[detail]),
        ("Failure", "A defect of ours.", &[failure]),
        (
            "Unavailable",
            "The database or Redis is away, too much waits, or a search took too long. Whether a change took effect is not \
             known; the same request may succeed in a moment.",
            &[failure, detail],
        ),
    ] {
        let schema = match schemas {
            [one] => RefOr::from(Ref::from_schema_name(*one)),
            several => several.iter().fold(AnyOf::builder(), |any, one| any.item(Ref::from_schema_name(*one))).into(),
        };
        let content = ContentBuilder::new().schema(Some::<RefOr<Schema>>(schema)).build();
        let mut response = ResponseBuilder::new().description(description).content(JSON, content).build();
        response.headers.insert("X-Request-Id".to_owned(), reference("RequestId"));
        if name == "Unavailable" || name == "TooMany" {
            response.headers.insert("Retry-After".to_owned(), reference("RetryAfter"));
        }
        components.responses.insert(name.to_owned(), response.into());
    }
    for (name, kind, description) in [
        ("RequestId", Type::String, "What the request is found under in the server's log."),
        ("RetryAfter", Type::Integer, "After how many seconds to try again."),
        ("Link", Type::String, "The address of the next page (RFC 8288), where there is one: `<…>; rel=\"next\"`."),
    ] {
        components.headers.insert(name.to_owned(), header(kind, description).into());
    }
}

fn header(kind: Type, description: &str) -> Header {
    HeaderBuilder::new().schema(Some(Object::with_type(kind))).description(Some(description)).build()
}

fn reference(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref::new(format!("#/components/headers/{name}")))
}
