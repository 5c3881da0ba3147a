//! The queues that this worker serves; remote control changes them while it runs.

use std::sync::{Arc, PoisonError, RwLock};

/// The queues in their order. Clones share them.
#[derive(Debug, Clone)]
pub struct Queues(Arc<RwLock<Arc<[String]>>>);

impl Queues {
    /// These queues, each once.
    pub fn new(names: &[String]) -> Self {
        let queues = Self(Arc::new(RwLock::new(Arc::from([]))));
        for name in names {
            queues.add(name);
        }
        queues
    }

    /// The queues as they are now.
    pub fn now(&self) -> Arc<[String]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves one more, after the others.
    pub fn add(&self, name: &str) {
        let mut queues = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !queues.iter().any(|queue| queue == name) {
            *queues = queues.iter().cloned().chain([name.to_owned()]).collect();
        }
    }

    /// Serves this one no more.
    pub fn remove(&self, name: &str) {
        let mut queues = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *queues = queues.iter().filter(|queue| *queue != name).cloned().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_come_and_go_in_their_order() {
        let queues = Queues::new(&["a".to_owned(), "b".to_owned(), "a".to_owned()]);
        queues.add("c");
        queues.add("b");
        queues.remove("a");
        queues.remove("x");
        assert_eq!(*queues.now(), ["b".to_owned(), "c".to_owned()]);
    }
}
