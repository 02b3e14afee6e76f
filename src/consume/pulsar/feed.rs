//! Feeds: what comes of each partition, and waits to be handed out.
//!
//! The thread of the connections puts entries in, the caller's thread takes them out. The broker sends as
//! many messages as it was permitted; permits follow from the room that there is, and from how large
//! entries were lately.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use pulsar::message::proto::{CommandGetLastMessageIdResponse, CommandMessage, MessageIdData};
use tokio::sync::Notify;

use super::entry::{Entry, Id};
use super::unpack;
use crate::clock::Clock;
use crate::consume::Position;
use crate::publish::pulsar::connection::Reader;
use crate::publish::pulsar::{Error, problem::Failure};

/// The most messages that are permitted at once: as many as Pulsar's own clients permit.
const PERMITS_MAX: usize = 1_000;

/// What comes beyond the room that a feed has, before it is left out and asked for again. Entries that are
/// suddenly much larger than those before them come so.
const EXCESS_BYTES_MAX: usize = 16 << 20;

/// How long an answer about the last record counts though records came since, and after how long it is
/// asked for again.
const FRESH: Duration = Duration::from_millis(150);

/// The same for an answer that names a record which did not come yet: it may never.
const STALE: Duration = Duration::from_secs(1);

/// How long nothing comes before a broker is believed that says there is no message at all: of a topic that
/// was terminated and loaded again it says so too, and yet sends what there is.
const QUIET: Duration = Duration::from_secs(2);

/// Where a feed begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Earliest,
    /// At a time, in milliseconds since the Unix epoch.
    At(i64),
    Latest,
    /// With an entry.
    With(Id),
}

/// One partition's entries.
#[derive(Debug)]
pub(super) struct Feed {
    /// The full name of its topic, with the partition.
    pub(super) topic: String,
    /// The topic's name as the user says it.
    pub(super) asked: String,
    /// Topic and partition as the user is told of them.
    pub(super) shown: String,
    /// Signalled when the broker is to be told something.
    pub(super) wake: Notify,
    /// Signalled when the broker has closed it.
    pub(super) closed: Notify,
    /// The record that it begins with, if it is known.
    from: Option<Position>,
    /// How many bytes may wait.
    room_bytes: usize,
    clock: Clock,
    state: Mutex<State>,
    /// Signalled when somebody waits and something has come.
    came: Condvar,
}

#[derive(Debug)]
struct State {
    start: Start,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How large entries are: the largest one, forgotten by and by.
    entry_bytes: usize,
    /// Permits that the broker has. It sends whole batches, and so more messages than it was permitted.
    permits: i64,
    /// The last entry that came.
    received: Option<Id>,
    phase: Phase,
    /// Since when nothing comes, in nanoseconds since the Unix epoch.
    quiet_since_ns: i64,
    /// Whether the broker says that nothing comes any more: the topic was terminated.
    is_terminated: bool,
    /// Whether somebody waits.
    awaited: bool,
    questions: Questions,
    /// Why it ended.
    error: Option<Error>,
    /// Why it was not opened, the last time.
    trouble: String,
}

/// How it stands with the subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It was never there.
    New,
    Open,
    /// What comes is left out, because there is too much of it.
    Overflowing,
    /// It is there no more.
    Lost,
}

/// What was asked about the last record.
#[derive(Debug, Default)]
struct Questions {
    /// The number of the last question, from 1.
    asked: u64,
    /// The last one that the broker was asked.
    sent: u64,
    answer: Option<Answer>,
    /// Those up to this one were asked before the subscription was there: more may have come since.
    outdated: u64,
}

impl Questions {
    /// The number of the last question that has its answer.
    fn answered(&self) -> u64 {
        self.answer.map_or(0, |answer| answer.number)
    }
}

/// What a broker says of the last record.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// The number of the question.
    number: u64,
    /// The last entry, and how many messages come before its last one.
    last: Option<(Id, u32)>,
    /// Before this, and with it, the broker has nothing more to send.
    passed: Id,
    /// The last entry that had come when it was asked.
    received: Option<Id>,
    /// When it was asked, in nanoseconds since the Unix epoch.
    asked_ns: i64,
}

/// What a feed gives.
#[derive(Debug)]
pub(super) enum Next {
    Entry(Entry),
    /// All that there was came.
    End,
    Nothing,
    /// Why it ended.
    Error(Error),
}

impl Feed {
    /// A feed that is not open yet.
    pub(super) fn new(
        (asked, topic, shown): (&str, String, String),
        (start, from): (Start, Option<Position>),
        room_bytes: usize,
        clock: &Clock,
    ) -> Self {
        let state = State {
            start,
            entries: VecDeque::new(),
            bytes: 0,
            // The first ones are let in one by one.
            entry_bytes: room_bytes,
            permits: 0,
            received: None,
            phase: Phase::New,
            quiet_since_ns: 0,
            is_terminated: false,
            awaited: false,
            questions: Questions::default(),
            error: None,
            trouble: "no answer".to_owned(),
        };
        Self {
            topic,
            asked: asked.to_owned(),
            shown,
            wake: Notify::new(),
            closed: Notify::new(),
            from,
            room_bytes,
            clock: clock.clone(),
            state: Mutex::new(state),
            came: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever waits.
    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.came.notify_all();
        }
    }

    /// Waits for at most `patience` until something comes.
    fn wait(&self, mut state: MutexGuard<'_, State>, patience: Duration) {
        state.awaited = true;
        drop(self.came.wait_timeout(state, patience));
    }

    /// What comes next, if it is there. If not, the broker is asked whether there is more.
    pub(super) fn next(&self) -> Next {
        let mut state = self.lock();
        if let Some(entry) = state.entries.pop_front() {
            state.bytes -= entry.bytes;
            let wakes = state.wanted(self.room_bytes).is_some();
            drop(state);
            if wakes {
                self.wake.notify_one();
            }
            return Next::Entry(entry);
        }
        if let Some(error) = &state.error {
            return Next::Error(error.clone());
        }
        let now_ns = self.clock.now_ns();
        let (is_end, asks) = state.judge(self.from, now_ns);
        if asks {
            state.questions.asked += 1;
            drop(state);
            self.wake.notify_one();
        }
        if is_end { Next::End } else { Next::Nothing }
    }

    /// Waits for at most `patience` until there may be something new, or something to ask.
    pub(super) fn wait_for_more(&self, patience: Duration) {
        let state = self.lock();
        if state.entries.is_empty() && state.error.is_none() {
            self.wait(state, patience.min(FRESH));
        }
    }

    /// Whether it was opened; waits for at most `patience`. The error is why not, or why it ended.
    pub(super) fn wait_until_open(&self, patience: Duration) -> Result<(), Failure> {
        let end_ns = self.clock.ahead_ns(patience);
        loop {
            let state = self.lock();
            if let Some(error) = &state.error {
                return Err(Failure::Final(error.clone()));
            }
            if state.phase != Phase::New {
                return Ok(());
            }
            let left_ns = end_ns - self.clock.now_ns();
            if left_ns <= 0 {
                return Err(Failure::Again(state.trouble.clone()));
            }
            self.wait(state, Duration::from_nanos(left_ns.unsigned_abs()));
        }
    }

    /// Asks anew which record is the last; the number of the question.
    pub(super) fn ask(&self) -> u64 {
        let mut state = self.lock();
        state.questions.asked += 1;
        let number = state.questions.asked;
        drop(state);
        self.wake.notify_one();
        number
    }

    /// The answer to a question, or to a later one; waits for at most `patience`. The error is why there
    /// is none.
    pub(super) fn last(
        &self,
        number: u64,
        patience: Duration,
    ) -> Result<Option<Position>, Failure> {
        let end_ns = self.clock.ahead_ns(patience);
        loop {
            let state = self.lock();
            if let Some(error) = &state.error {
                return Err(Failure::Final(error.clone()));
            }
            if let Some(answer) = state.questions.answer.filter(|it| it.number >= number) {
                return Ok(answer.last.map(|(id, place)| unpack::position(id, place)));
            }
            let left_ns = end_ns - self.clock.now_ns();
            if left_ns <= 0 {
                return Err(Failure::Again(state.trouble.clone()));
            }
            self.wait(state, Duration::from_nanos(left_ns.unsigned_abs()));
        }
    }

    /// Where a subscription is to begin.
    pub(super) fn start(&self) -> Start {
        let state = self.lock();
        // That entry may be the last one: what came of it already is left out.
        state.received.map_or(state.start, Start::With)
    }

    /// It begins elsewhere.
    pub(super) fn begin(&self, start: Start, received: Option<Id>) {
        let mut state = self.lock();
        (state.start, state.received) = (start, received);
    }

    /// Its subscription is there, and has no permits yet.
    pub(super) fn opened(&self) {
        let mut state = self.lock();
        (state.phase, state.permits, state.is_terminated) = (Phase::Open, 0, false);
        state.quiet_since_ns = self.clock.now_ns();
        // What was asked before has no answer any more.
        state.questions.sent = state.questions.answered();
        state.questions.outdated = state.questions.asked;
        self.tell(state);
    }

    /// Its subscription is there no more.
    pub(super) fn lost(&self, reason: &str) {
        let mut state = self.lock();
        if state.phase != Phase::New {
            state.phase = Phase::Lost;
        }
        reason.clone_into(&mut state.trouble);
    }

    /// It ends for good.
    pub(super) fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.error = Some(error);
        self.tell(state);
    }

    /// Whether it was open once.
    pub(super) fn was_open(&self) -> bool {
        self.lock().phase != Phase::New
    }

    /// How many messages the broker is to be permitted now; they count as permitted.
    pub(super) fn grant(&self) -> Option<u32> {
        let mut state = self.lock();
        let more = state.wanted(self.room_bytes)?;
        state.permits += i64::from(more);
        Some(more)
    }

    /// The question that the broker is to be asked now; it counts as sent.
    pub(super) fn question(&self) -> Option<Question> {
        let mut state = self.lock();
        let Questions { asked, sent, .. } = &mut state.questions;
        if asked <= sent {
            return None;
        }
        *sent = *asked;
        let number = *asked;
        Some(Question { number, received: state.received, asked_ns: self.clock.now_ns() })
    }

    /// The broker's answer to a question; none: it is to be asked again.
    pub(super) fn answer(
        &self,
        question: Question,
        answer: Option<&CommandGetLastMessageIdResponse>,
    ) {
        let mut state = self.lock();
        let Question { number, received, asked_ns } = question;
        if let Some(answer) = answer {
            let (last, passed) = read(answer);
            let answer = Answer { number, last, passed, received, asked_ns };
            state.questions.answer = Some(answer);
            self.tell(state);
        } else {
            state.questions.sent = state.questions.sent.min(number - 1);
            drop(state);
            self.wake.notify_one();
        }
    }
}

/// A question about the last record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    number: u64,
    received: Option<Id>,
    asked_ns: i64,
}

/// The last entry and how many messages come before its last one, if there is any; and the entry before
/// which, and with which, nothing comes any more.
pub(super) fn read(answer: &CommandGetLastMessageIdResponse) -> (Option<(Id, u32)>, Id) {
    let last = id(&answer.last_message_id);
    let place = answer.last_message_id.batch_index.and_then(|it| u32::try_from(it).ok());
    // −1: there is none.
    let last = (last.0 >= 0 && last.1 >= 0).then_some((last, place.unwrap_or(0)));
    (last, answer.consumer_mark_delete_position.as_ref().map_or((-1, -1), id))
}

fn id(id: &MessageIdData) -> Id {
    (id.ledger_id.cast_signed(), id.entry_id.cast_signed())
}

impl State {
    /// How many permits more the broker is to have, if it is time for them.
    fn wanted(&self, room_bytes: usize) -> Option<u32> {
        if self.phase != Phase::Open {
            return None;
        }
        // A permit may bring a whole batch.
        let room = room_bytes.saturating_sub(self.bytes) / self.entry_bytes.max(1);
        let room = room.max(usize::from(self.entries.is_empty())).min(PERMITS_MAX);
        let room = i64::try_from(room).unwrap_or(0);
        // Not for each message one by one.
        let is_due = room > 0 && self.permits <= room / 2;
        is_due.then(|| u32::try_from(room - self.permits).unwrap_or(u32::MAX))
    }

    /// Whether all came that there was, and whether the broker is to be asked.
    fn judge(&self, from: Option<Position>, now_ns: i64) -> (bool, bool) {
        if self.is_terminated {
            return (true, false);
        }
        // Nobody knows what there is as long as there is no subscription.
        if self.phase != Phase::Open {
            return (false, false);
        }
        let Questions { asked, answer, outdated, .. } = &self.questions;
        let is_answered = *asked == self.questions.answered();
        let Some(answer) = answer.filter(|answer| answer.number > *outdated) else {
            return (false, is_answered);
        };
        let passed = self.received.unwrap_or((-1, -1)).max(answer.passed);
        let since = |begin_ns: i64| Duration::from_nanos((now_ns - begin_ns).max(0).unsigned_abs());
        let is_passed = match answer.last {
            Some((last, place)) => {
                last <= passed || from.is_some_and(|from| unpack::position(last, place) < from)
            }
            None => self.permits > 0 && since(self.quiet_since_ns) >= QUIET,
        };
        let age = since(answer.asked_ns);
        let is_end = is_passed && (age < FRESH || answer.received == self.received);
        let limit = if is_passed || answer.last.is_none() { FRESH } else { STALE };
        (is_end, is_answered && age >= limit)
    }
}

impl Reader for Feed {
    fn take(&self, message: &CommandMessage, rest: Bytes) {
        let entry = Entry::new(id(&message.message_id), rest);
        let mut state = self.lock();
        if state.phase == Phase::Overflowing {
            return;
        }
        state.permits -= i64::from(entry.count);
        state.quiet_since_ns = self.clock.now_ns();
        state.entry_bytes = (state.entry_bytes - state.entry_bytes / 8).max(entry.bytes);
        // A new subscription begins with the last entry again.
        if state.received.is_none_or(|received| received < entry.id) {
            if state.bytes > self.room_bytes + EXCESS_BYTES_MAX {
                state.phase = Phase::Overflowing;
                drop(state);
                self.closed.notify_one();
                return;
            }
            state.received = Some(entry.id);
            state.bytes += entry.bytes;
            state.entries.push_back(entry);
        }
        let wakes = state.wanted(self.room_bytes).is_some();
        self.tell(state);
        if wakes {
            self.wake.notify_one();
        }
    }

    fn end(&self) {
        let mut state = self.lock();
        state.is_terminated = true;
        self.tell(state);
    }

    fn close(&self) {
        self.closed.notify_one();
    }
}

#[cfg(test)]
mod tests;
