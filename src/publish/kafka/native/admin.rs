//! Describing and creating topics.

use std::ffi::{CString, c_char};
use std::ptr::{self, NonNull};

use rdkafka::bindings as c;

use super::{Client, TEXT_BYTES, c_string, code, raw_code, text};

/// An answer with librdkafka's code and text for what went wrong.
pub(crate) type Answer<T> = Result<T, (i32, String)>;

/// What a broker says of a topic.
#[derive(Clone, Debug)]
pub(in super::super) struct Described {
    /// How many partitions it has.
    pub(in super::super) partitions: u32,
    /// Whether we may write to it; unknown where the broker does not tell.
    pub(in super::super) writable: Option<bool>,
}

/// A topic to be made.
#[derive(Clone, Debug)]
pub(in super::super) struct NewTopic<'a> {
    /// Its name.
    pub(in super::super) name: &'a str,
    /// How many partitions; −1 for the broker's default.
    pub(in super::super) partitions: i32,
    /// How many replicas; −1 for the broker's default.
    pub(in super::super) replicas: i32,
    /// Its configuration.
    pub(in super::super) config: &'a [(String, String)],
}

/// What became of each topic that was to be made, by name.
pub(in super::super) type Created = Vec<(String, Answer<()>)>;

/// Names and values of a topic's configuration.
pub(in super::super) type Entries = Vec<(String, String)>;

/// Whom to ask, and for how long.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Patience {
    /// A broker's number; the controller if none. The mock cluster has no controller.
    pub(in super::super) broker: Option<i32>,
    /// How long, in milliseconds.
    pub(in super::super) timeout_ms: i32,
}

/// A question to the brokers that is under way; see [`Pending::wait`].
#[derive(Debug)]
pub(crate) struct Pending<'a, T> {
    queue: Queue<'a>,
    read: fn(*mut c::rd_kafka_event_t) -> T,
}

/// A queue of its own for one answer.
#[derive(Debug)]
struct Queue<'a> {
    raw: *mut c::rd_kafka_queue_t,
    _client: &'a Client,
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `Client::ask`, destroyed once; the client is alive.
        unsafe { c::rd_kafka_queue_destroy(self.raw) };
    }
}

impl<T> Pending<'_, T> {
    /// Waits up to `timeout_ms` for the answer; `None` when there is none yet.
    pub(crate) fn wait(&self, timeout_ms: i32) -> Option<Answer<T>> {
        // SAFETY: the queue is alive; the event is read and destroyed here.
        unsafe {
            let event = NonNull::new(c::rd_kafka_queue_poll(self.queue.raw, timeout_ms))?;
            let failed = raw_code::rd_kafka_event_error(event.as_ptr());
            let answer = if failed == 0 {
                Ok((self.read)(event.as_ptr()))
            } else {
                Err((failed, text(c::rd_kafka_event_error_string(event.as_ptr()))))
            };
            c::rd_kafka_event_destroy(event.as_ptr());
            Some(answer)
        }
    }
}

impl Client {
    /// Asks for topics' partitions and our rights; answers in the order of `names`.
    pub(in super::super) fn describe_topics(
        &self,
        names: &[CString],
        patience: Patience,
    ) -> Pending<'_, Vec<Answer<Described>>> {
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        self.ask(
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            patience,
            read_described,
            |options, queue| {
                // SAFETY: the names end with a zero and are copied by the call; all objects made
                // here are destroyed here.
                unsafe {
                    let refused =
                        c::rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
                    if !refused.is_null() {
                        c::rd_kafka_error_destroy(refused);
                    }
                    let topics = c::rd_kafka_TopicCollection_of_topic_names(
                        pointers.as_mut_ptr(),
                        pointers.len(),
                    );
                    c::rd_kafka_DescribeTopics(self.raw(), topics, options, queue);
                    c::rd_kafka_TopicCollection_destroy(topics);
                }
            },
        )
    }

    /// Asks for topics' configurations; answers in the order of `names`.
    pub(in super::super) fn describe_configs(
        &self,
        names: &[CString],
        patience: Patience,
    ) -> Pending<'_, Vec<Answer<Entries>>> {
        self.ask(
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
            patience,
            read_configs,
            |options, queue| {
                // SAFETY: as above.
                unsafe {
                    let kind = c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
                    let mut topics: Vec<_> = names
                        .iter()
                        .map(|name| c::rd_kafka_ConfigResource_new(kind, name.as_ptr()))
                        .collect();
                    c::rd_kafka_DescribeConfigs(
                        self.raw(),
                        topics.as_mut_ptr(),
                        topics.len(),
                        options,
                        queue,
                    );
                    for topic in topics {
                        c::rd_kafka_ConfigResource_destroy(topic);
                    }
                }
            },
        )
    }

    /// Asks for topics to be made; one answer a topic, with its name.
    pub(in super::super) fn create_topics(
        &self,
        wanted: &[NewTopic<'_>],
        patience: Patience,
    ) -> Result<Pending<'_, Created>, String> {
        let mut topics = Vec::new();
        for topic in wanted {
            match new_topic(topic) {
                Ok(made) => topics.push(made),
                Err(reason) => {
                    destroy(&topics);
                    return Err(reason);
                }
            }
        }
        let pending = self.ask(
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS,
            patience,
            read_created,
            |options, queue| {
                // SAFETY: the call copies the topics.
                unsafe {
                    c::rd_kafka_CreateTopics(
                        self.raw(),
                        topics.as_mut_ptr(),
                        topics.len(),
                        options,
                        queue,
                    );
                }
            },
        );
        destroy(&topics);
        Ok(pending)
    }

    pub(super) fn ask<T>(
        &self,
        operation: c::rd_kafka_admin_op_t,
        patience: Patience,
        read: fn(*mut c::rd_kafka_event_t) -> T,
        mut send: impl FnMut(*mut c::rd_kafka_AdminOptions_t, *mut c::rd_kafka_queue_t),
    ) -> Pending<'_, T> {
        let mut buffer = [0; TEXT_BYTES];
        // SAFETY: the handle is alive; the options are destroyed here, the queue with its owner.
        unsafe {
            let queue = Queue { raw: c::rd_kafka_queue_new(self.raw()), _client: self };
            let options = c::rd_kafka_AdminOptions_new(self.raw(), operation);
            c::rd_kafka_AdminOptions_set_request_timeout(
                options,
                patience.timeout_ms,
                buffer.as_mut_ptr(),
                TEXT_BYTES,
            );
            if let Some(broker) = patience.broker {
                c::rd_kafka_AdminOptions_set_broker(
                    options,
                    broker,
                    buffer.as_mut_ptr(),
                    TEXT_BYTES,
                );
            }
            send(options, queue.raw);
            c::rd_kafka_AdminOptions_destroy(options);
            Pending { queue, read }
        }
    }
}

fn new_topic(topic: &NewTopic<'_>) -> Result<*mut c::rd_kafka_NewTopic_t, String> {
    let name = c_string(topic.name)?;
    let mut config = Vec::new();
    for (name, value) in topic.config {
        config.push((c_string(name)?, c_string(value)?));
    }
    let mut buffer = [0; TEXT_BYTES];
    // SAFETY: all texts end with a zero and are copied.
    unsafe {
        let made = c::rd_kafka_NewTopic_new(
            name.as_ptr(),
            topic.partitions,
            topic.replicas,
            buffer.as_mut_ptr(),
            TEXT_BYTES,
        );
        if made.is_null() {
            return Err(super::buffer_text(&buffer));
        }
        for (name, value) in &config {
            c::rd_kafka_NewTopic_set_config(made, name.as_ptr(), value.as_ptr());
        }
        Ok(made)
    }
}

fn destroy(topics: &[*mut c::rd_kafka_NewTopic_t]) {
    for &topic in topics {
        // SAFETY: made by `new_topic`, destroyed once.
        unsafe { c::rd_kafka_NewTopic_destroy(topic) };
    }
}

fn read_described(event: *mut c::rd_kafka_event_t) -> Vec<Answer<Described>> {
    let mut count = 0;
    // SAFETY: the event is alive and holds this kind of result; all that is read is copied.
    unsafe {
        let result = c::rd_kafka_event_DescribeTopics_result(event);
        let topics = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        pointers(topics, count).iter().map(|&topic| described(topic)).collect()
    }
}

/// # Safety
/// `topic` is alive.
unsafe fn described(topic: *const c::rd_kafka_TopicDescription_t) -> Answer<Described> {
    let (mut operation_count, mut partition_count) = (0, 0);
    // SAFETY: as the caller says.
    unsafe {
        let error = c::rd_kafka_TopicDescription_error(topic);
        let failed = raw_code::rd_kafka_error_code(error);
        if failed != 0 {
            return Err((failed, text(c::rd_kafka_error_string(error))));
        }
        c::rd_kafka_TopicDescription_partitions(topic, &raw mut partition_count);
        let operations =
            c::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut operation_count);
        // Read as numbers: a broker may know more operations than the library has names for.
        let known = pointers(operations.cast::<u32>(), operation_count);
        let write = c::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE as u32;
        let writable = (!operations.is_null()).then(|| known.contains(&write));
        Ok(Described { partitions: u32::try_from(partition_count).unwrap_or(u32::MAX), writable })
    }
}

fn read_configs(event: *mut c::rd_kafka_event_t) -> Vec<Answer<Entries>> {
    let mut count = 0;
    // SAFETY: as in `read_described`.
    unsafe {
        let result = c::rd_kafka_event_DescribeConfigs_result(event);
        let topics = c::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
        pointers(topics, count).iter().map(|&topic| entries(topic)).collect()
    }
}

/// # Safety
/// `topic` is alive.
unsafe fn entries(topic: *const c::rd_kafka_ConfigResource_t) -> Answer<Entries> {
    let mut count = 0;
    // SAFETY: as the caller says.
    unsafe {
        let failed = raw_code::rd_kafka_ConfigResource_error(topic);
        if failed != 0 {
            return Err((failed, text(c::rd_kafka_ConfigResource_error_string(topic))));
        }
        let entries = c::rd_kafka_ConfigResource_configs(topic, &raw mut count);
        let pair = |&entry| {
            (text(c::rd_kafka_ConfigEntry_name(entry)), text(c::rd_kafka_ConfigEntry_value(entry)))
        };
        Ok(pointers(entries, count).iter().map(pair).collect())
    }
}

fn read_created(event: *mut c::rd_kafka_event_t) -> Created {
    let mut count = 0;
    // SAFETY: as in `read_described`.
    unsafe {
        let result = c::rd_kafka_event_CreateTopics_result(event);
        let topics = c::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
        let created = |&topic| {
            let failed = raw_code::rd_kafka_topic_result_error(topic);
            let made = failed == 0 || failed == code::TOPIC_EXISTS;
            let reason = || (failed, text(c::rd_kafka_topic_result_error_string(topic)));
            (text(c::rd_kafka_topic_result_name(topic)), if made { Ok(()) } else { Err(reason()) })
        };
        pointers(topics, count).iter().map(created).collect()
    }
}

/// # Safety
/// `first` points to `count` values that live for `'a`, or is null.
pub(super) unsafe fn pointers<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: as the caller says.
    unsafe { std::slice::from_raw_parts(ptr::from_ref(&*first), count) }
}
