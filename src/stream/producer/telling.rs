//! What batches tell of their events: bytes or none, and digests.

use super::super::digest::Digest;
use super::super::rows::low;
use super::super::{Batch, Telling};
use super::Producer;
use crate::config::model::KeyFormat;
use crate::encode::row::RowEncoder;
use crate::encode::wire::FRAMING_BYTES;
use crate::plan::batch::Job;

impl Producer {
    /// Whether the events of a job are encoded.
    pub(super) fn has_bytes(&self, job: &Job) -> bool {
        match self.options.telling {
            Telling::Bytes => true,
            Telling::Who { bytes_one_in: 0 } => false,
            // Fibonacci hashing, so that no rhythm of the traffic meets that of the sample.
            Telling::Who { bytes_one_in } => {
                let hash = job.window_us.start.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                low(hash) % bytes_one_in == 0
            }
        }
    }

    /// The digest of a batch's records, if digests are asked for and there are bytes.
    pub fn digest(&self, batch: &Batch) -> Option<Digest> {
        (self.options.digest && batch.has_bytes).then(|| {
            let mut sum = Digest::default();
            for record in batch.records.iter() {
                let stream = usize::from(record.stream);
                let plan = &self.plan.streams[stream];
                let route = self.route(stream);
                let mut key = &batch.arena[record.key_range()];
                if plan.key_format == KeyFormat::Avro && route.ids.key.is_some() {
                    key = key.get(FRAMING_BYTES..).unwrap_or_default();
                }
                let value = &batch.arena[record.value_range()];
                // A tombstone has no value, and no framing either.
                let datum = value.get(self.framing_bytes(stream)..);
                sum.add(Digest::of(&plan.name, key, datum.unwrap_or_default()));
            }
            sum
        })
    }

    /// How many bytes of a stream's values are framing.
    fn framing_bytes(&self, stream: usize) -> usize {
        let of_control = || self.route(stream).ids.value.map_or(0, |_| FRAMING_BYTES);
        self.encoders[stream].as_ref().map_or_else(of_control, RowEncoder::framing_bytes)
    }
}
