//! A sink that writes lines of text, one a record: to the standard output, a pipe or a file.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::{Error, Outcome, Receipt, Receiver, Sink, Slice, Unacknowledged};
use crate::clock::Clock;
use crate::stream::{Batch, Record};

/// Appends a record as one line, its end included, to the bytes; it is intended at so many
/// nanoseconds since the Unix epoch.
pub type Format = Box<dyn FnMut((&Batch, &Record), i64, &mut Vec<u8>) + Send>;

/// How many bytes are written at once, at least, while there are more records in the slice.
const WRITE_BYTES: usize = 64 << 10;

/// A sink that writes each record as a line; a record counts as delivered when it was written.
pub struct Stdout {
    output: Box<dyn Write + Send>,
    /// What the output is called in errors.
    target: String,
    format: Format,
    receiver: Arc<dyn Receiver>,
    clock: Clock,
    text: Vec<u8>,
    receipts: Vec<Receipt<'static>>,
}

impl std::fmt::Debug for Stdout {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stdout").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Stdout {
    /// A sink that writes to `output`, which `target` names in errors.
    pub fn new(
        (output, target): (Box<dyn Write + Send>, &str),
        format: Format,
        receiver: Arc<dyn Receiver>,
        clock: Clock,
    ) -> Self {
        let (text, receipts) = (Vec::new(), Vec::new());
        Self { output, target: target.to_owned(), format, receiver, clock, text, receipts }
    }

    /// Writes the records of the slice from `first` up to those that fill a write; returns how many.
    fn write_some(&mut self, slice: &Slice, first: usize) -> io::Result<usize> {
        self.text.clear();
        let batch = &slice.batch;
        let mut end = first;
        while end < slice.records.end && self.text.len() < WRITE_BYTES {
            let record = &batch.records[end];
            let intended_ns = slice.schedule.intended_ns(record.due_us);
            (self.format)((batch, record), intended_ns, &mut self.text);
            end += 1;
        }
        self.output.write_all(&self.text)?;
        self.output.flush()?;
        let now_ns = self.clock.now_ns();
        self.receipts.clear();
        self.receipts.extend(batch.records[first..end].iter().map(|record| Receipt {
            stream: record.stream,
            bytes: record.key_bytes + record.value_bytes,
            outcome: Outcome::Delivered,
            latency_ns: (now_ns - slice.schedule.intended_ns(record.due_us)).max(0),
            due_us: record.due_us,
        }));
        self.receiver.receive(&self.receipts);
        Ok(end - first)
    }

    fn error(&self, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Error::ClosedPipe { target: self.target.clone() };
        }
        Error::Write { target: self.target.clone(), source }
    }
}

impl Sink for Stdout {
    fn publish(&mut self, slice: &Slice, give_up: &dyn Fn() -> bool) -> Result<usize, Error> {
        let mut next = slice.records.start;
        while next < slice.records.end && !give_up() {
            next += self.write_some(slice, next).map_err(|source| self.error(source))?;
        }
        Ok(next - slice.records.start)
    }

    fn flush(
        &mut self,
        _patience: Duration,
        _give_up: &dyn Fn() -> bool,
    ) -> Result<Unacknowledged, Error> {
        self.output.flush().map_err(|source| self.error(source))?;
        Ok(Unacknowledged(0))
    }

    fn in_flight(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::publish::Schedule;

    #[derive(Default)]
    struct Count(Mutex<Vec<i64>>);

    impl Receiver for Count {
        fn receive(&self, receipts: &[Receipt<'_>]) {
            let latencies = receipts.iter().map(|receipt| receipt.latency_ns);
            self.0.lock().unwrap().extend(latencies);
        }
    }

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slice() -> Slice {
        let record = |start, due_us| Record {
            due_us,
            start,
            key_bytes: 0,
            value_bytes: 2,
            partition: 0,
            stream: 0,
            header_bytes: 0,
            keyed: false,
            tombstone: false,
        };
        let batch = Batch {
            window_us: 0..10,
            arena: Arc::new(b"aabbcc".to_vec()),
            records: Arc::new(vec![record(0, 0), record(2, 1), record(4, 2)]),
            ..Batch::default()
        };
        let schedule = Schedule::Paced { anchor_ns: 0, begin_us: 0, speed: 1.0 };
        Slice { batch: Arc::new(batch), records: 1..3, schedule }
    }

    fn sink(output: Box<dyn Write + Send>, count: &Arc<Count>) -> Stdout {
        let format = |(batch, record): (&Batch, &Record), _: i64, text: &mut Vec<u8>| {
            text.extend_from_slice(&batch.arena[record.value_range()]);
            text.push(b'\n');
        };
        let receiver: Arc<dyn Receiver> = Arc::<Count>::clone(count);
        Stdout::new((output, "standard output"), Box::new(format), receiver, Clock::manual(1_500))
    }

    #[test]
    fn a_line_is_written_for_each_record_of_the_slice() {
        let (count, output) = (Arc::new(Count::default()), Shared::default());
        let taken = sink(Box::new(output.clone()), &count).publish(&slice(), &|| false);
        assert_eq!(taken.unwrap(), 2);
        assert_eq!(*output.0.lock().unwrap(), b"bb\ncc\n");
        // Due at 1 and 2 µs, written at 1.5 µs: never before its time.
        assert_eq!(*count.0.lock().unwrap(), [500, 0]);
    }

    #[test]
    fn a_closed_pipe_is_an_error_of_its_own() {
        let count = Arc::new(Count::default());
        let error = sink(Box::new(Closed), &count).publish(&slice(), &|| false).unwrap_err();
        assert_eq!(error.to_string(), "standard output was closed by its reader");
        assert!(count.0.lock().unwrap().is_empty());
    }
}
