//! Handing records over one by one: with headers, or with a timestamp of their own.

#![expect(unsafe_code, reason = "librdkafka is a C library")]

use std::ptr;

use rdkafka::bindings as c;

use super::native::{Delivery, code, raw_code};
use super::options::Timestamp;
use super::produce::{Outgoing, Producer, message};
use crate::encode::headers::{self, Value as HeaderValue};
use crate::publish::Slice;

use c::rd_kafka_vtype_t as Kind;
type Value = c::rd_kafka_vu_s__bindgen_ty_1;

impl Producer {
    /// Hands over the records of `topic` up to `end`, as `Producer::send` says.
    pub(super) fn send_singly(
        &self,
        slice: &Slice,
        topic: usize,
        end: usize,
        (outgoing, refused): (&mut Outgoing, &mut Vec<Delivery>),
    ) -> bool {
        while outgoing.next < end {
            let index = outgoing.order[outgoing.next];
            match self.send_one(slice, topic, index, outgoing) {
                0 => {}
                code::QUEUE_FULL => return false,
                code => refused.push(Delivery {
                    opaque: outgoing.opaque(index),
                    code,
                    partition: slice.batch.records[index as usize].partition,
                }),
            }
            outgoing.next += 1;
        }
        true
    }

    /// Hands over one record; librdkafka's code, 0 if it was taken.
    fn send_one(&self, slice: &Slice, topic: usize, index: u32, outgoing: &mut Outgoing) -> i32 {
        let (record, arena) = (&slice.batch.records[index as usize], slice.batch.arena.as_slice());
        let message = message(record, arena, outgoing.opaque(index));
        let timestamp_ms = match self.timestamp {
            // librdkafka takes the time of the call.
            Timestamp::HandOver => 0,
            Timestamp::Event => record.due_us.div_euclid(1_000),
        };
        let value = |vtype, u| c::rd_kafka_vu_t { vtype, u };
        let bytes =
            |ptr, size| Value { mem: c::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size } };
        let arguments = &mut outgoing.arguments;
        arguments.clear();
        arguments.extend([
            value(Kind::RD_KAFKA_VTYPE_RKT, Value { rkt: self.client.topic(topic) }),
            value(Kind::RD_KAFKA_VTYPE_PARTITION, Value { i32_: record.partition }),
            value(Kind::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: 0 }),
            value(Kind::RD_KAFKA_VTYPE_VALUE, bytes(message.payload, message.len)),
            value(Kind::RD_KAFKA_VTYPE_KEY, bytes(message.key, message.key_len)),
            value(Kind::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: message._private }),
            value(Kind::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: timestamp_ms }),
        ]);
        let (names, shapes) = self.routes.headers(record);
        let intended = headers::intended_time(slice.schedule.intended_ns(record.due_us));
        for (number, content) in headers::read(shapes, &arena[record.header_range()]) {
            let name = names[number].as_c_str();
            let (name, content) = match content {
                HeaderValue::Identity(bytes) | HeaderValue::Text(bytes) => (name, Some(bytes)),
                HeaderValue::IntendedTime => (name, Some(&intended[..])),
                HeaderValue::Own(name, content) => (name, content),
            };
            let header = c::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                name: name.as_ptr(),
                val: content.map_or(ptr::null(), |content| content.as_ptr().cast()),
                size: content.map_or(0, |content| content.len().cast_signed()),
            };
            arguments.push(value(Kind::RD_KAFKA_VTYPE_HEADER, Value { header }));
        }
        // SAFETY: keys and headers are copied; values lie in the arena of a batch that the ledger
        // holds until the record is settled. An error is ours to destroy.
        unsafe {
            let error =
                c::rd_kafka_produceva(self.client.raw(), arguments.as_ptr(), arguments.len());
            if error.is_null() {
                return 0;
            }
            let code = raw_code::rd_kafka_error_code(error);
            c::rd_kafka_error_destroy(error);
            code
        }
    }
}
