//! Reading what tasks came to.

use logmon_core::celery::{TaskId, TaskResult, decode_result};
use redis::Commands as _;

use super::scripts::STORE;
use super::{Broker, BrokerError};

impl Broker {
    /// Stores and publishes what is known of a task before its end. What says SUCCESS stays.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn store_result(&self, id: &TaskId, document: &str) -> Result<(), BrokerError> {
        let mut call = STORE.prepare_invoke();
        call.key(self.keys.result(id)).key(self.keys.unacked()).arg(document).arg(self.result_expires.as_secs());
        self.with(|conn| call.invoke(conn))
    }

    /// The stored result of a task; [`TaskResult::pending`] when there is none, as Celery has it.
    ///
    /// # Errors
    /// See [`BrokerError`]; [`BrokerError::Refused`] also when what is stored is not a result document in JSON.
    pub fn result(&self, id: &TaskId) -> Result<TaskResult, BrokerError> {
        let document: Option<Vec<u8>> = self.with(|conn| conn.get(self.keys.result(id)))?;
        match document {
            None => Ok(TaskResult::pending(id.clone())),
            Some(document) => decode_result(&document).map_err(|e| {
                let text = "the stored result is not a document in JSON";
                BrokerError::Refused((redis::ErrorKind::UnexpectedReturnType, text, e.to_string()).into())
            }),
        }
    }
}
