//! The flow of events on a thread of its own, from the stream to the sink.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Error;
use crate::observe::tally::Watched;
use crate::stream::pacer::{self, Control, Options, Outcome, Source};

/// Events on their way.
#[derive(Debug)]
pub struct Flow {
    control: Arc<Control>,
    ended: oneshot::Receiver<Ended>,
}

/// What becomes of the sink of a flow that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is closed.
    Close,
    /// It is handed back.
    HandBack,
}

/// A flow that is over.
#[derive(Debug)]
pub struct Ended {
    /// What the pacer did; none if its thread was left behind, so that only the tally knows.
    pub outcome: Option<Outcome>,
    /// What stopped it, if it was an error.
    pub error: Option<Error>,
    /// The sink, if more is to follow.
    pub sink: Option<Watched>,
}

impl Flow {
    /// Starts the flow.
    pub fn start(
        events: impl Source + Send + 'static,
        sink: Watched,
        options: Options,
    ) -> Result<Self, Error> {
        Self::start_and(events, sink, options, Then::Close)
    }

    /// Starts a flow after which the sink is closed or handed back.
    pub fn start_and(
        mut events: impl Source + Send + 'static,
        mut sink: Watched,
        options: Options,
        then: Then,
    ) -> Result<Self, Error> {
        let control = Arc::new(Control::default());
        let (send, ended) = oneshot::channel();
        let heard = Arc::clone(&control);
        let thread = std::thread::Builder::new().name("pacer".to_owned());
        thread
            .spawn(move || {
                let (outcome, result) = pacer::run(&mut events, &mut sink, &options, &heard);
                // The broker inside the process closes after this, and its clients close before.
                let sink = (then == Then::HandBack).then_some(sink);
                drop(events);
                let error = result.err().map(Error::from);
                let ended = Ended { outcome: Some(outcome), error, sink };
                // The run waits for this for as long as it lives.
                drop(send.send(ended));
            })
            .map_err(|source| Error::System { what: "start the pacer's thread", source })?;
        Ok(Self { control, ended })
    }

    /// Issues nothing more, and waits for receipts.
    pub fn drain(&self) {
        self.control.drain();
    }

    /// Waits for nothing more.
    pub fn give_up(&self) {
        self.control.give_up();
    }

    /// Leaves the thread of a flow that does not end behind.
    pub fn left(self) -> Ended {
        Ended { outcome: None, error: None, sink: None }
    }

    /// Waits for the end.
    pub async fn ended(&mut self) -> Ended {
        let lost = |_| Ended { outcome: None, error: Some(Error::Panicked), sink: None };
        (&mut self.ended).await.unwrap_or_else(lost)
    }
}
