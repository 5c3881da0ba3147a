//! One URL with its methods, and what DRF adds to each: HEAD, OPTIONS, 405, `.json`, and the path without its slash.

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Route, web};
use serde_json::{Value, json};
use utoipa::openapi::HttpMethod;

use super::Place;
use crate::error::ApiError;
use crate::openapi::{Call, Described};

/// One URL.
pub(crate) struct Endpoint {
    /// The path as it is registered, below `/api` or not.
    pub(super) path: &'static str,
    forms: Forms,
    name: &'static str,
    description: &'static str,
    actions: Option<&'static str>,
    methods: Vec<&'static str>,
    routes: Vec<MakeRoute>,
    /// What the `OpenAPI` document says of each method; HEAD and OPTIONS go with the others.
    pub(super) operations: Vec<(HttpMethod, Described)>,
}

/// In which forms a path is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forms {
    /// With and without a last slash and `.json`, as DRF takes them.
    Any,
    /// As it is, and without a last slash.
    File,
}

/// A path with what answers it.
pub(super) struct Registered {
    /// The path, or a pattern of it.
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) resource: Resource,
}

/// Makes the route of a method: once for each form of the path.
type MakeRoute = Box<dyn Fn() -> Route>;

impl Endpoint {
    /// The URL `/api` + `path`. `name` and `description` are what OPTIONS says.
    pub(super) fn new(path: &'static str, name: &'static str, description: &'static str) -> Self {
        let (methods, routes, operations) = (Vec::new(), Vec::new(), Vec::new());
        Self { path, forms: Forms::Any, name, description, actions: None, methods, routes, operations }
    }

    /// A URL that is taken only as it stands, and without its last slash.
    pub(super) fn file(path: &'static str, name: &'static str) -> Self {
        Self { forms: Forms::File, ..Self::new(path, name, "") }
    }

    pub(super) fn get<F, A>(self, call: Call<F>) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let handler = call.handler.clone();
        self.method("GET", web::get, handler)
            .method("HEAD", web::head, call.handler)
            .describe(HttpMethod::Get, call.described)
    }

    pub(super) fn post<F, A>(self, call: Call<F>) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("POST", web::post, call.handler).describe(HttpMethod::Post, call.described)
    }

    pub(super) fn put<F, A>(self, call: Call<F>) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("PUT", web::put, call.handler).describe(HttpMethod::Put, call.described)
    }

    pub(super) fn patch<F, A>(self, call: Call<F>) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("PATCH", web::patch, call.handler).describe(HttpMethod::Patch, call.described)
    }

    pub(super) fn delete<F, A>(self, call: Call<F>) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("DELETE", web::delete, call.handler).describe(HttpMethod::Delete, call.described)
    }

    /// What OPTIONS says of the fields that a method takes, as JSON.
    pub(super) fn actions(mut self, actions: &'static str) -> Self {
        self.actions = Some(actions);
        self
    }

    fn describe(mut self, method: HttpMethod, described: Described) -> Self {
        self.operations.push((method, described));
        self
    }

    fn method<F, A>(mut self, name: &'static str, route: fn() -> Route, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.methods.push(name);
        self.routes.push(Box::new(move || route().to(handler.clone())));
        self
    }

    /// What is registered for it: a resource each form of its path, for one with several paths is matched by regular
    /// expressions even where they are plain text.
    pub(super) fn resources(self, place: Place) -> Vec<Registered> {
        let (allow, options) = (self.allow(), self.options());
        let resource = |path: String| {
            let mut resource = web::resource(path.as_str());
            for route in &self.routes {
                resource = resource.route(route());
            }
            let options = options.clone();
            let describe = web::method(Method::OPTIONS).to(move || {
                let mut response = HttpResponse::Ok();
                response.insert_header((ALLOW, allow));
                let answer = response.json(&options);
                async move { answer }
            });
            let refuse = move |request: HttpRequest| async move {
                Err::<HttpResponse, _>(ApiError::method_not_allowed(request.method().as_str(), allow))
            };
            let resource = resource.route(describe).default_service(web::to(refuse));
            Registered { path, place, resource }
        };
        self.paths(place).into_iter().map(resource).collect()
    }

    // The original's router takes `.json` with and without a slash; it redirects where the slash is missing, which loses a
    // POST's body, so here both are the same place.
    fn paths(&self, place: Place) -> Vec<String> {
        let root = match place {
            Place::BelowApi => "/api",
            Place::Beside => "",
        };
        let path = pattern(self.path.strip_suffix('/').unwrap_or(self.path));
        let ends: &[&str] = match (self.path, self.forms) {
            (path, Forms::File) if !path.ends_with('/') => &[""],
            (_, Forms::File) => &["/", ""],
            ("", Forms::Any) => &["/", "", "/.json"],
            (_, Forms::Any) => &["/", "", ".json", ".json/"],
        };
        ends.iter().map(|end| format!("{root}{path}{end}")).collect()
    }

    // In the order in which Django's views list them.
    fn allow(&self) -> &'static str {
        let order = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
        let listed = order.into_iter().filter(|name| self.methods.contains(name));
        let names: Vec<&str> = listed.chain(["OPTIONS"]).collect();
        // Once for each URL, when the server starts.
        String::leak(names.join(", "))
    }

    fn options(&self) -> Value {
        let mut options = json!({
            "name": self.name,
            "description": self.description,
            "renders": ["application/json"],
            "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
        });
        if let Some(actions) = self.actions.and_then(|text| serde_json::from_str::<Value>(text).ok())
            && let Value::Object(fields) = &mut options
        {
            fields.insert("actions".to_owned(), actions);
        }
        options
    }
}

// As the original's router has them: a dot begins a suffix. A task's id is whatever its producer made it.
fn pattern(path: &str) -> String {
    path.replace("{id}", "{id:[^/.]+}").replace("{task}", "{task:[^/]+?}")
}
