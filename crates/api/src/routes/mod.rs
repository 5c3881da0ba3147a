//! Every URL on one page.

mod endpoint;

use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::{self, ServiceConfig};

use crate::endpoints::{
    alerts, apps, dead_letters, health, logs, queues, root, rules, schedules, summaries, tasks, workers,
};
use crate::error::ApiError;
use crate::middleware::negotiate;
use endpoint::Endpoint;

/// Adds every URL to an application.
pub fn configure(config: &mut ServiceConfig) {
    // Not all of these answer in JSON, so nobody has to accept it.
    for endpoint in [
        Endpoint::new("/healthz", "Health", "").get(health::alive),
        Endpoint::new("/readyz", "Readiness", "").get(health::ready),
        Endpoint::new("/metrics", "Metrics", "").get(health::metrics),
        Endpoint::new("/api/logs/tail", "Log Tail", "").get(logs::tail),
    ] {
        endpoint.register(config);
    }
    config
        .service(web::scope("/api").wrap(from_fn(negotiate)).wrap(headers()).configure(api))
        .default_service(web::to(not_found));
}

fn api(config: &mut ServiceConfig) {
    for endpoint in [
        Endpoint::new("", "Api Root", "The default basic root view for DefaultRouter").get(root::show),
        Endpoint::new("/logs", "Log List", "").get(logs::list).post(logs::create).describe(logs::ACTIONS),
        Endpoint::new("/logs/histogram", "Log Histogram", "").get(logs::histogram),
        Endpoint::new("/alerts", "Alert List", "").get(alerts::list),
        Endpoint::new("/alerts/{id}/resolve", "Resolve", "").patch(alerts::resolve),
        Endpoint::new("/apps", "App List", "").get(apps::list).post(apps::create),
        Endpoint::new("/apps/{id}", "App Instance", "").get(apps::show).patch(apps::change).delete(apps::delete),
        Endpoint::new("/rules", "Rule List", "").get(rules::list).post(rules::create),
        Endpoint::new("/rules/{id}", "Rule Instance", "")
            .get(rules::show)
            .put(rules::replace)
            .patch(rules::change)
            .delete(rules::delete),
        Endpoint::new("/summaries", "Log Summary List", "").get(summaries::list).post(summaries::recount),
        Endpoint::new("/schedules", "Schedule List", "").get(schedules::list),
        Endpoint::new("/tasks/{task}", "Task Instance", "").get(tasks::show).delete(tasks::revoke),
        Endpoint::new("/dead-letters", "Dead Letter List", "").get(dead_letters::list),
        Endpoint::new("/dead-letters/{id}", "Dead Letter Instance", "")
            .get(dead_letters::show)
            .delete(dead_letters::delete),
        Endpoint::new("/dead-letters/{id}/requeue", "Requeue", "").post(dead_letters::requeue),
        Endpoint::new("/queues", "Queue List", "").get(queues::list),
        Endpoint::new("/queues/{name}/pause", "Pause", "").post(queues::pause),
        Endpoint::new("/queues/{name}/resume", "Resume", "").post(queues::resume),
        Endpoint::new("/workers", "Worker List", "").get(workers::list),
    ] {
        endpoint.register(config);
    }
    config.default_service(web::to(not_found));
}

fn headers() -> DefaultHeaders {
    DefaultHeaders::new().add(("X-Content-Type-Options", "nosniff"))
}

async fn not_found() -> Result<&'static str, ApiError> {
    Err(ApiError::not_found())
}
