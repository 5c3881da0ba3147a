//! The parameters of a URL, as Django's `QueryDict` gives them, and the pages of lists.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header::LINK;
use actix_web::web::Json;
use actix_web::{HttpResponse, Responder};
use logmon_core::field::FieldErrors;
use logmon_core::page::{Cursor, Fingerprint, Page};
use logmon_core::python::{self, Int};
use percent_encoding::percent_decode_str;
use serde::Serialize;

/// The parameters of a URL, in their order.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of a URL behind its `?`.
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unquote(name), unquote(value))
        });
        Self(pairs.collect())
    }

    /// Every parameter with its value, in their order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The last value of a parameter, as the original took it.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter that is not empty.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The last value of a parameter that is an id; `None` where there is none, or a wrong one, which `errors` has then.
    pub fn id(&self, name: &'static str, errors: &mut FieldErrors) -> Option<i64> {
        let text = self.last(name).filter(|text| !text.is_empty())?;
        let id = match python::int(text) {
            Some(Int::Small(id)) => Ok(id),
            Some(Int::Big) | None => Err(vec!["A valid integer is required.".to_owned()]),
        };
        errors.take(name, id)
    }

    /// The page that `limit` and `cursor` ask for.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn page(&self) -> Result<Page, FieldErrors> {
        Page::from_query(self.last("limit"), self.last("cursor"))
    }
}

fn unquote(text: &str) -> String {
    let text = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// Where a list goes on behind what was sent of it: the address of the request with a cursor.
#[derive(Debug)]
pub struct Continued(String);

impl Continued {
    /// `pinned` are parameters that it has, whatever the request had.
    pub fn new(request: &HttpRequest, pinned: &[(&'static str, String)]) -> Self {
        let stays = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && name != "cursor" && pinned.iter().all(|(pinned, _)| *pinned != name)
        };
        let pinned = pinned.iter().map(|(name, value)| format!("{name}={value}"));
        let rest = request.query_string().split('&').filter(stays).map(str::to_owned);
        let query: Vec<String> = rest.chain(pinned).chain(["cursor=".to_owned()]).collect();
        Self(format!("{}?{}", request.path(), query.join("&")))
    }

    /// Its address behind this cursor.
    pub fn at(&self, cursor: &str) -> String {
        format!("{}{cursor}", self.0)
    }
}

/// A page of a list: a JSON array, and a `Link` to the next page where there is one (RFC 8288).
#[derive(Debug)]
pub struct Listing<T> {
    rows: Vec<T>,
    next: Option<Cursor>,
    /// The list that its cursors belong to.
    list: Option<Fingerprint>,
    /// Parameters that the next page has, whatever this one had.
    pinned: Vec<(&'static str, String)>,
}

impl<T> Listing<T> {
    /// A page of `rows`, which were asked for by [`Listing::one_more`]: a row past the page's limit says that there is
    /// a next page. `place` is a row's place in the list.
    pub fn new<R>(mut rows: Vec<R>, page: Page, place: impl Fn(&R) -> Cursor, view: impl Fn(R) -> T) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(place);
        Self::until(next, rows, view)
    }

    /// A page of `rows`; the next one, if there is one, begins behind `next`.
    pub fn until<R>(next: Option<Cursor>, rows: Vec<R>, view: impl Fn(R) -> T) -> Self {
        Self { rows: rows.into_iter().map(view).collect(), next, list: None, pinned: Vec::new() }
    }

    /// Ties the next page to a list, and to these parameters.
    pub fn tied_to(self, list: Fingerprint, pinned: Vec<(&'static str, String)>) -> Self {
        Self { list: Some(list), pinned, ..self }
    }

    /// The page to ask the database for.
    pub fn one_more(page: Page) -> Page {
        Page { limit: page.limit + 1, ..page }
    }
}

impl<T: Serialize> Responder for Listing<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let next = self.next.map(|cursor| {
            let cursor = self.list.map_or_else(|| cursor.encode(), |list| cursor.encode_for(list));
            format!("<{}>; rel=\"next\"", Continued::new(request, &self.pinned).at(&cursor))
        });
        let mut response = Json(self.rows).respond_to(request).map_into_boxed_body();
        if let Some(value) = next.and_then(|link| link.parse().ok()) {
            response.headers_mut().insert(LINK, value);
        }
        response
    }
}
