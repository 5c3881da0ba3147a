//! The least that an HTTP server can do with a log: it reads the body and answers 201. What LogMon is measured against.
//!
//! usage: `noop_server ADDRESS:PORT`

use actix_web::{App, HttpResponse, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let answer = |body: web::Bytes| async move {
        drop(body);
        HttpResponse::Created()
            .content_type("application/json")
            .body(r#"{"id":1,"level":"ERROR","message":"m","created_at":"2026-11-23T00:00:00.000000Z","app":1}"#)
    };
    HttpServer::new(move || App::new().route("/api/logs/", web::post().to(answer))).bind(address)?.run().await
}
