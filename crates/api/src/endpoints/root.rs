//! `/api/`: where the lists are.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::http::header::HOST;
use actix_web::web::Json;
use actix_web::{HttpRequest, Responder};

use crate::routes;

static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| routes::lists().collect());

/// The lists with their addresses; `.json` and the query go along, as in DRF's router.
#[utoipa::path(
    get,
    path = "/api/",
    responses((status = 200, description = "Each list with its address.", body = BTreeMap<String, String>))
)]
pub async fn show(request: HttpRequest) -> impl Responder {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = request.connection_info().scheme().to_owned();
    let suffix = if request.path().ends_with(".json") { ".json" } else { "/" };
    let query = match request.query_string() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let address = |name: &&'static str| (*name, format!("{scheme}://{host}/api/{name}{suffix}{query}"));
    Json(NAMES.iter().map(address).collect::<BTreeMap<_, _>>())
}
