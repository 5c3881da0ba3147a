//! `/healthz`, `/readyz` and `/metrics`: for supervisors, load balancers and Prometheus.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use logmon_core::tasks::QUEUES;
use logmon_store::metrics::MEDIA_TYPE;
use serde_json::json;

use crate::health::Report;
use crate::state::State;

/// The process is alive.
#[utoipa::path(
    get,
    path = "/healthz",
    responses((status = 200, description = "It is.", body = std::collections::BTreeMap<String, String>, example = json!({"status": "ok"})))
)]
pub async fn alive() -> impl Responder {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether requests can be served: 200, or 503 with what is missing.
#[utoipa::path(
    get,
    path = "/readyz",
    responses(
        (status = 200, description = "They can.", body = Report),
        (status = 503, description = "They cannot.", body = Report)
    )
)]
pub async fn ready(state: Data<State>) -> impl Responder {
    let report = state.health.report();
    let mut response = if report.status == "ok" { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(report)
}

/// The figures, in the text form of `OpenMetrics`; those of Redis are missing while it is away.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "For Prometheus.", body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"))
)]
pub async fn metrics(state: Data<State>) -> impl Responder {
    let found = state.broker(|broker| broker.figures(&QUEUES)).await.ok();
    let page = state.metrics.page(&state.health, found.as_ref());
    HttpResponse::Ok().content_type(MEDIA_TYPE).body(page)
}
