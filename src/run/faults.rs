//! The events of a run: as the model has them, or with what faults do to them.

use std::sync::Arc;

use super::Error;
use crate::plan::Plan;
use crate::stream::faults::{self, Faulted};
use crate::stream::pacer::Source;
use crate::stream::{EventStream, Options};

/// The events that flow.
pub(super) struct Events {
    /// Where they come from.
    pub(super) source: Box<dyn Source + Send>,
    /// What faults did, if the model has any.
    pub(super) counts: Option<Arc<faults::Counts>>,
}

impl Events {
    /// Starts the threads that make them.
    pub(super) fn start(plan: Arc<Plan>, options: Options) -> Result<Self, Error> {
        if plan.faults.list.is_empty() {
            let source = Box::new(EventStream::start(plan, options)?);
            return Ok(Self { source, counts: None });
        }
        let faulted = Faulted::start(plan, options)?;
        let counts = Some(faulted.counts());
        Ok(Self { source: Box::new(faulted), counts })
    }
}
