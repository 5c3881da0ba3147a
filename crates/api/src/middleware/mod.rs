//! What happens around every request: its id, DRF's choice of an answer's form, and the causes of errors.

mod negotiation;
mod request_id;

pub use negotiation::negotiate;
pub use request_id::identify;
