//! One URL with its methods, and what DRF adds to each: HEAD, OPTIONS, 405, `.json`, and the path without its slash.

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route};
use serde_json::{Value, json};

use crate::error::ApiError;

/// One URL.
pub(super) struct Endpoint {
    path: &'static str,
    name: &'static str,
    description: &'static str,
    actions: Option<&'static str>,
    methods: Vec<&'static str>,
    routes: Vec<MakeRoute>,
}

/// Makes the route of a method: once for each form of the path.
type MakeRoute = Box<dyn Fn() -> Route>;

impl Endpoint {
    /// The URL `/api` + `path`. `name` and `description` are what OPTIONS says.
    pub(super) fn new(path: &'static str, name: &'static str, description: &'static str) -> Self {
        Self { path, name, description, actions: None, methods: Vec::new(), routes: Vec::new() }
    }

    pub(super) fn get<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("GET", web::get, handler.clone()).method("HEAD", web::head, handler)
    }

    pub(super) fn post<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("POST", web::post, handler)
    }

    pub(super) fn put<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("PUT", web::put, handler)
    }

    pub(super) fn patch<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("PATCH", web::patch, handler)
    }

    pub(super) fn delete<F, A>(self, handler: F) -> Self
    where
        F: Handler<A>,
        A: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method("DELETE", web::delete, handler)
    }

    /// What OPTIONS says of the fields that a method takes, as JSON.
    pub(super) fn describe(mut self, actions: &'static str) -> Self {
        self.actions = Some(actions);
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

    pub(super) fn register(self, config: &mut ServiceConfig) {
        let allow = self.allow();
        let options = self.options();
        // The original's router takes `.json` with and without a slash; it redirects where the slash is missing, which
        // loses a POST's body, so here both are the same place.
        let paths: Vec<String> = match self.path {
            "" => ["", "/", "/.json"].map(str::to_owned).to_vec(),
            path => ["", "/", ".json", ".json/"].map(|end| pattern(path) + end).to_vec(),
        };
        // A resource each, for one with several paths is matched by regular expressions even where they are plain text.
        for path in paths {
            let mut resource = web::resource(path);
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
            config.service(resource.route(describe).default_service(web::to(refuse)));
        }
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
