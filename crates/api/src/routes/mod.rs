//! Every URL on one page, each with its handlers. The `OpenAPI` document is made from this table and from what stands above the
//! handlers, so neither can have what the other has not.

mod endpoint;

use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::{self, ServiceConfig};
use utoipa::openapi::HttpMethod;

use crate::endpoints::{
    alerts, apps, channels, dead_letters, deliveries, docs, health, logs, queues, reports, root, rules, schedules,
    silences, subscribers, summaries, tasks, workers,
};
use crate::error::ApiError;
use crate::middleware::negotiate;
use crate::openapi::{Described, call};
use endpoint::{Endpoint, Registered};

/// What lies below `/api`, in the order of the documentation.
fn api() -> Vec<Endpoint> {
    vec![
        Endpoint::new("", "Api Root", "The default basic root view for DefaultRouter").get(call!(root::show)),
        Endpoint::new("/logs", "Log List", "").get(call!(logs::list)).post(call!(logs::create)).actions(logs::ACTIONS),
        Endpoint::new("/logs/histogram", "Log Histogram", "").get(call!(logs::histogram)),
        Endpoint::new("/logs/last", "Last Log", "").get(call!(logs::last)),
        Endpoint::new("/logs/{id}", "Log Instance", "").get(call!(logs::show)),
        Endpoint::new("/logs/{id}/context", "Log Context", "").get(call!(logs::context)),
        Endpoint::new("/alerts", "Alert List", "").get(call!(alerts::list)),
        Endpoint::new("/alerts/resolve", "Resolve Together", "").post(call!(alerts::resolve_together)),
        Endpoint::new("/alerts/undo", "Undo", "").post(call!(alerts::undo)),
        Endpoint::new("/alerts/{id}", "Alert Instance", "").get(call!(alerts::show)),
        Endpoint::new("/alerts/{id}/acknowledge", "Acknowledge", "").post(call!(alerts::acknowledge)),
        Endpoint::new("/alerts/{id}/reopen", "Reopen", "").post(call!(alerts::reopen)),
        Endpoint::new("/alerts/{id}/assign", "Assign", "").post(call!(alerts::assign)),
        Endpoint::new("/alerts/{id}/resolve", "Resolve", "").patch(call!(alerts::resolve)),
        Endpoint::new("/apps", "App List", "").get(call!(apps::list)).post(call!(apps::create)),
        Endpoint::new("/apps/{id}", "App Instance", "")
            .get(call!(apps::show))
            .patch(call!(apps::change))
            .delete(call!(apps::delete)),
        Endpoint::new("/rules", "Rule List", "").get(call!(rules::list)).post(call!(rules::create)),
        Endpoint::new("/rules/test", "Rule Test", "").post(call!(rules::test)),
        Endpoint::new("/rules/{id}", "Rule Instance", "")
            .get(call!(rules::show))
            .put(call!(rules::replace))
            .patch(call!(rules::change))
            .delete(call!(rules::delete)),
        Endpoint::new("/silences", "Silence List", "").get(call!(silences::list)).post(call!(silences::create)),
        Endpoint::new("/silences/{id}", "Silence Instance", "")
            .get(call!(silences::show))
            .patch(call!(silences::change))
            .delete(call!(silences::end)),
        Endpoint::new("/summaries", "Log Summary List", "").get(call!(summaries::list)).post(call!(summaries::recount)),
        Endpoint::new("/reports", "Report List", "").get(call!(reports::list)),
        Endpoint::new("/subscribers", "Subscriber List", "")
            .get(call!(subscribers::list))
            .post(call!(subscribers::create)),
        Endpoint::new("/subscribers/{id}", "Subscriber Instance", "")
            .get(call!(subscribers::show))
            .patch(call!(subscribers::change))
            .delete(call!(subscribers::delete)),
        Endpoint::new("/schedules", "Schedule List", "").get(call!(schedules::list)),
        Endpoint::new("/tasks/{task}", "Task Instance", "").get(call!(tasks::show)).delete(call!(tasks::revoke)),
        Endpoint::new("/channels", "Channel List", "").get(call!(channels::list)).post(call!(channels::create)),
        Endpoint::new("/channels/{id}", "Channel Instance", "")
            .get(call!(channels::show))
            .patch(call!(channels::change))
            .delete(call!(channels::delete)),
        Endpoint::new("/channels/{id}/preview", "Channel Preview", "").post(call!(channels::preview)),
        Endpoint::new("/channels/{id}/test", "Test", "").post(call!(channels::test)),
        Endpoint::new("/deliveries", "Delivery List", "").get(call!(deliveries::list)),
        Endpoint::new("/deliveries/{id}", "Delivery Instance", "").get(call!(deliveries::show)),
        Endpoint::new("/deliveries/{id}/send", "Send", "").post(call!(deliveries::send)),
        Endpoint::new("/dead-letters", "Dead Letter List", "").get(call!(dead_letters::list)),
        Endpoint::new("/dead-letters/{id}", "Dead Letter Instance", "")
            .get(call!(dead_letters::show))
            .delete(call!(dead_letters::delete)),
        Endpoint::new("/dead-letters/{id}/requeue", "Requeue", "").post(call!(dead_letters::requeue)),
        Endpoint::new("/queues", "Queue List", "").get(call!(queues::list)),
        Endpoint::new("/queues/{name}/pause", "Pause", "").post(call!(queues::pause)),
        Endpoint::new("/queues/{name}/resume", "Resume", "").post(call!(queues::resume)),
        Endpoint::new("/workers", "Worker List", "").get(call!(workers::list)),
    ]
}

/// What is no part of DRF's router, and answers whatever `Accept` says.
fn beside() -> Vec<Endpoint> {
    vec![
        Endpoint::new("/healthz", "Health", "").get(call!(health::alive)),
        Endpoint::new("/readyz", "Readiness", "").get(call!(health::ready)),
        Endpoint::new("/metrics", "Metrics", "").get(call!(health::metrics)),
        Endpoint::new("/api/logs/tail/", "Log Tail", "").get(call!(logs::tail)),
        Endpoint::new("/api/logs/export/", "Log Export", "").get(call!(logs::export)),
        Endpoint::new("/api/reports/preview/", "Report Preview", "").get(call!(reports::preview)),
        Endpoint::new("/api/reports/{id}/", "Report Instance", "").get(call!(reports::show)),
        Endpoint::file("/api/openapi.json", "OpenAPI").get(call!(docs::document)),
        Endpoint::file("/api/docs/", "Documentation").get(call!(docs::page)),
        Endpoint::file("/api/docs/{file}", "Documentation File").get(call!(docs::file)),
    ]
}

/// Adds every URL to an application.
///
/// A path is compared with one after the other, so those that are plain text come before those that are patterns.
pub fn configure(config: &mut ServiceConfig) {
    let below = api().into_iter().flat_map(|endpoint| endpoint.resources(Place::BelowApi));
    let beside = beside().into_iter().flat_map(|endpoint| endpoint.resources(Place::Beside));
    let (patterns, plain): (Vec<_>, Vec<_>) = below.chain(beside).partition(|registered| registered.path.contains('{'));
    let headers = headers();
    for Registered { place, resource, .. } in plain.into_iter().chain(patterns) {
        match place {
            Place::BelowApi => config.service(resource.wrap(from_fn(negotiate)).wrap(headers.clone())),
            Place::Beside => config.service(resource),
        };
    }
    let others = web::scope("/api").wrap(from_fn(negotiate)).wrap(headers);
    config.service(others.default_service(web::to(not_found))).default_service(web::to(not_found));
}

/// The names of the lists below `/api`.
pub fn lists() -> impl Iterator<Item = &'static str> {
    let has_list = |endpoint: &Endpoint| endpoint.operations.iter().any(|(method, _)| *method == HttpMethod::Get);
    let name = |endpoint: Endpoint| endpoint.path.strip_prefix('/').filter(|name| !name.contains('/'));
    api().into_iter().filter(has_list).filter_map(name)
}

/// Where a URL lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Below `/api`: part of DRF's router.
    BelowApi,
    /// Beside that.
    Beside,
}

/// A URL as the `OpenAPI` document has it.
pub struct Documented {
    /// The path.
    pub path: String,
    /// Where it lies.
    pub place: Place,
    /// What is said of each of its methods.
    pub operations: Vec<(HttpMethod, Described)>,
}

/// Every URL as the `OpenAPI` document has it.
pub fn documented() -> impl Iterator<Item = Documented> {
    let (below, beside) = (api().into_iter(), beside().into_iter());
    let below = below.map(|endpoint| (format!("/api{}/", endpoint.path), Place::BelowApi, endpoint));
    let beside = beside.map(|endpoint| (endpoint.path.to_owned(), Place::Beside, endpoint));
    below.chain(beside).map(|(path, place, endpoint)| Documented { path, place, operations: endpoint.operations })
}

fn headers() -> DefaultHeaders {
    DefaultHeaders::new().add(("X-Content-Type-Options", "nosniff"))
}

async fn not_found() -> Result<&'static str, ApiError> {
    Err(ApiError::not_found())
}
