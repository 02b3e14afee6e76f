//! Properties of librdkafka, checked one by one as they are set.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rdkafka::bindings as c;
use rdkafka::types::{RDKafkaConfRes as Res, RDKafkaType};

use super::{TEXT_BYTES, buffer_text, c_string, text};

/// Why a property was not taken.
#[derive(Debug)]
pub(in super::super) enum Refusal {
    /// There is no such property.
    Unknown,
    /// The value is not one that it takes; librdkafka's text.
    Invalid(String),
}

/// Properties on their way into a client.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Until a client has taken it.
    raw: Option<NonNull<c::rd_kafka_conf_t>>,
    certificate: Arc<AtomicI32>,
}

impl Configuration {
    /// librdkafka's defaults, with events in place of callbacks.
    pub(in super::super) fn new() -> Self {
        let certificate = Arc::new(AtomicI32::new(0));
        // SAFETY: makes a new object, which is given to a client or destroyed in `drop`.
        let raw = unsafe { c::rd_kafka_conf_new() };
        let events = c::RD_KAFKA_EVENT_DR | c::RD_KAFKA_EVENT_ERROR | c::RD_KAFKA_EVENT_LOG;
        // SAFETY: the configuration is alive. The pointer given as opaque is to a value that the
        // client keeps until after its threads have ended.
        unsafe {
            c::rd_kafka_conf_set_events(raw, events);
            c::rd_kafka_conf_set_opaque(raw, Arc::as_ptr(&certificate).cast_mut().cast());
            c::rd_kafka_conf_set_ssl_cert_verify_cb(raw, Some(note_certificate));
        }
        Self { raw: NonNull::new(raw), certificate }
    }

    fn raw(&self) -> *mut c::rd_kafka_conf_t {
        self.raw.map_or(std::ptr::null_mut(), NonNull::as_ptr)
    }

    /// Sets one property.
    pub(in super::super) fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let name = c_string(name).map_err(|_| Refusal::Unknown)?;
        let value = c_string(value).map_err(Refusal::Invalid)?;
        let mut buffer = [0; TEXT_BYTES];
        // SAFETY: both texts end with a zero; the buffer is as long as said.
        let result = unsafe {
            c::rd_kafka_conf_set(
                self.raw(),
                name.as_ptr(),
                value.as_ptr(),
                buffer.as_mut_ptr(),
                TEXT_BYTES,
            )
        };
        match result {
            Res::RD_KAFKA_CONF_OK => Ok(()),
            Res::RD_KAFKA_CONF_UNKNOWN => Err(Refusal::Unknown),
            Res::RD_KAFKA_CONF_INVALID => Err(Refusal::Invalid(buffer_text(&buffer))),
        }
    }

    /// The names of the properties that have a value by default.
    pub(in super::super) fn names(&self) -> Vec<String> {
        // SAFETY: a dump is an array of names and values, taking turns, freed after it is copied.
        unsafe {
            let mut count = 0;
            let dump = c::rd_kafka_conf_dump(self.raw(), &raw mut count);
            let pairs = std::slice::from_raw_parts(dump, count);
            let names = pairs.iter().step_by(2).map(|&name| text(name)).collect();
            c::rd_kafka_conf_dump_free(dump, count);
            names
        }
    }

    /// Makes a client of it; the error is librdkafka's text.
    pub(super) fn into_client(
        mut self,
        kind: RDKafkaType,
    ) -> Result<(NonNull<c::rd_kafka_t>, Arc<AtomicI32>), String> {
        let mut buffer = [0; TEXT_BYTES];
        // SAFETY: the buffer is as long as said. If a client is made, the configuration is its.
        let made = unsafe { c::rd_kafka_new(kind, self.raw(), buffer.as_mut_ptr(), TEXT_BYTES) };
        let made = NonNull::new(made).ok_or_else(|| buffer_text(&buffer))?;
        self.raw = None;
        Ok((made, Arc::clone(&self.certificate)))
    }
}

impl Drop for Configuration {
    fn drop(&mut self) {
        if let Some(raw) = self.raw {
            // SAFETY: no client took it (see `into_client`), so it is ours to destroy.
            unsafe { c::rd_kafka_conf_destroy(raw.as_ptr()) };
        }
    }
}

/// Notes what OpenSSL finds wrong with a certificate, and leaves the verdict as it is.
///
/// librdkafka's own text is the same for an expired and for an untrusted certificate.
unsafe extern "C" fn note_certificate(
    _client: *mut c::rd_kafka_t,
    _broker_name: *const c_char,
    _broker_id: i32,
    x509_error: *mut c_int,
    _depth: c_int,
    _certificate: *const c_char,
    _size: usize,
    _text: *mut c_char,
    _text_size: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka gives a pointer to its own variable, and the opaque set above, whose
    // target outlives the client's threads.
    unsafe {
        let found = *x509_error;
        if found != 0 {
            let note = &*opaque.cast::<AtomicI32>();
            note.store(found, Ordering::SeqCst);
        }
        c_int::from(found == 0)
    }
}
