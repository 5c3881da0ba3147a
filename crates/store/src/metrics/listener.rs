//! The listener of the processes that have no HTTP server of their own: `/healthz`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use prometheus_client::registry::Registry;
use tiny_http::{Header, Method, Request, Response, Server};

use super::{MEDIA_TYPE, page};

/// What `/readyz` says: each part by its name, with what is wrong with it where something is.
pub type Ready = BTreeMap<&'static str, Result<(), String>>;

/// Answers on `listen` until the process ends, on a thread of its own.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve(
    listen: SocketAddr,
    registry: Registry,
    ready: impl Fn() -> Ready + Send + 'static,
) -> io::Result<SocketAddr> {
    let server = Server::http(listen).map_err(io::Error::other)?;
    let address = server.server_addr().to_ip().unwrap_or(listen);
    log::info!("metrics on http://{address}");
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            let (status, media_type, body) = answer(&request, &registry, &ready);
            let response = Response::from_string(body).with_status_code(status);
            let header = Header::from_bytes("Content-Type", media_type);
            let response = header.into_iter().fold(response, Response::with_header);
            if let Err(error) = request.respond(response) {
                log::debug!("nobody waited for the answer: {error}");
            }
        }
    });
    Ok(address)
}

const JSON: &str = "application/json";

fn answer(request: &Request, registry: &Registry, ready: impl Fn() -> Ready) -> (u16, &'static str, String) {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return (405, JSON, r#"{"detail":"Method not allowed."}"#.to_owned());
    }
    match request.url().split('?').next().unwrap_or_default() {
        "/healthz" => (200, JSON, r#"{"status":"ok"}"#.to_owned()),
        "/readyz" => report(ready()),
        "/metrics" => (200, MEDIA_TYPE, page(registry)),
        _ => (404, JSON, r#"{"detail":"Not found."}"#.to_owned()),
    }
}

fn report(ready: Ready) -> (u16, &'static str, String) {
    let (status, word) = if ready.values().all(Result::is_ok) { (200, "ok") } else { (503, "unavailable") };
    let parts = ready.into_iter().map(|(name, state)| (name, state.err().unwrap_or_else(|| "ok".to_owned())));
    let body: BTreeMap<_, _> = parts.chain([("status", word.to_owned())]).collect();
    (status, JSON, serde_json::json!(body).to_string())
}
