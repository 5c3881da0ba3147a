//! The `OpenAPI` document: made from the table of routes and from what stands beside each handler.
//!
//! An operation is described by the `#[utoipa::path(…)]` above its handler: its own parameters, body and answers. What
//! holds for every call is added here, once: the errors in [`shared`], the request's id, forms beside JSON bodies, the
//! `Link` of a list.

pub mod chinese;
pub mod shared;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::{ComponentsBuilder, Info, OpenApi, OpenApiBuilder, Paths, RefOr};

use crate::asset::Asset;
use crate::routes;

/// A handler with what is said of it beside it. Made by [`call!`].
pub struct Call<F> {
    /// The handler.
    pub handler: F,
    /// What is said of it.
    pub described: Described,
}

/// What is said of a handler, as a document with one operation and the schemas that it names.
#[derive(Clone, Copy)]
pub struct Described {
    /// Where the handler stands, such as `["logs", "list"]`: the operation's id, and the tag that it is listed under.
    pub place: &'static [&'static str],
    /// The document.
    pub document: fn() -> OpenApi,
}

/// A handler as the table of routes takes it: `call!(logs::list)`. It does not compile without a `#[utoipa::path(…)]` above
/// the handler, which the `OpenAPI` document is made from: "cannot find struct `__path_list`" means that it is missing.
macro_rules! call {
    ($($place:ident)::+) => {{
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($place)::+))]
        struct Document;
        $crate::openapi::Call {
            handler: $($place)::+,
            described: $crate::openapi::Described {
                place: &[$(stringify!($place)),+],
                document: <Document as utoipa::OpenApi>::openapi,
            },
        }
    }};
}
pub(crate) use call;

/// The document, ready to be sent.
pub static DOCUMENT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("application/json", document().to_json().unwrap_or_default().into_bytes()));

/// The document of every route.
pub fn document() -> OpenApi {
    let (mut paths, mut components) = (Paths::new(), ComponentsBuilder::new());
    for route in routes::documented() {
        let mut item = PathItem::default();
        for (method, described) in route.operations {
            let one = (described.document)();
            if let Some(mut operation) = one.paths.paths.into_values().find_map(only_operation) {
                operation.operation_id = Some(described.place.join("_"));
                operation.tags = described.place.first().map(|tag| vec![(*tag).to_owned()]);
                shared::complete(&mut operation, route.place);
                *slot(&mut item, &method) = Some(operation);
            }
            components = components.schemas_from_iter(one.components.unwrap_or_default().schemas);
        }
        paths.paths.insert(route.path, item);
    }
    let mut info = Info::new("LogMon", env!("CARGO_PKG_VERSION"));
    info.description = Some(shared::INTRODUCTION.to_owned());
    let mut document = OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build();
    if let Some(components) = &mut document.components {
        shared::add_to(components);
    }
    document
}

/// The operation of a path that has one.
fn only_operation(item: PathItem) -> Option<Operation> {
    [item.get, item.post, item.put, item.patch, item.delete].into_iter().flatten().next()
}

fn slot<'a>(item: &'a mut PathItem, method: &HttpMethod) -> &'a mut Option<Operation> {
    match method {
        HttpMethod::Get => &mut item.get,
        HttpMethod::Put => &mut item.put,
        HttpMethod::Post => &mut item.post,
        HttpMethod::Delete => &mut item.delete,
        HttpMethod::Options => &mut item.options,
        HttpMethod::Head => &mut item.head,
        HttpMethod::Patch => &mut item.patch,
        HttpMethod::Trace => &mut item.trace,
    }
}

/// Those of a map's values that stand here and not behind a reference.
fn inline<'a, K: 'a, T: 'a>(map: impl IntoIterator<Item = (K, &'a mut RefOr<T>)>) -> impl Iterator<Item = &'a mut T> {
    map.into_iter().filter_map(|(_, value)| match value {
        RefOr::T(value) => Some(value),
        RefOr::Ref(_) => None,
    })
}
