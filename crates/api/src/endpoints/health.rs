//! `/healthz`, `/readyz` and `/metrics`: for supervisors, load balancers and Prometheus.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use logmon_core::tasks::{DEFAULT_QUEUE, INGEST_QUEUE};
use logmon_store::metrics::MEDIA_TYPE;
use serde_json::json;

use crate::state::State;

/// The process is alive.
pub async fn alive() -> impl Responder {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether requests can be served: 200, or 503 with what is missing.
pub async fn ready(state: Data<State>) -> impl Responder {
    let report = state.health.report();
    let mut response = if report.status == "ok" { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(report)
}

/// The figures, in the text form of `OpenMetrics`; those of Redis are missing while it is away.
pub async fn metrics(state: Data<State>) -> impl Responder {
    let found = state.broker(|broker| broker.figures(&[DEFAULT_QUEUE, INGEST_QUEUE])).await.ok();
    let page = state.metrics.page(&state.health.report(), found.as_ref());
    HttpResponse::Ok().content_type(MEDIA_TYPE).body(page)
}
