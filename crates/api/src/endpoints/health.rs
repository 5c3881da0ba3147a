//! `/healthz` and `/readyz`: for supervisors and load balancers.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
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
