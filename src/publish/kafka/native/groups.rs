//! Groups of consumers: who is in them, what they committed, and where partitions begin and end.

use std::ffi::CStr;
use std::ptr;

use rdkafka::bindings as c;
use rdkafka::types::RDKafkaRespErr as Code;

use super::admin::{Answer, Patience, Pending, pointers};
use super::consume::Asked;
use super::{Client, c_string, raw_code, slice_of, text};

/// What brokers call a group that divides its partitions anew.
const MOVING: [&str; 3] = ["PreparingRebalance", "CompletingRebalance", "AwaitingSync"];

/// As long as the library lets a question last, in milliseconds.
const HOUR_MS: i32 = 3_600_000;

/// The codes that asking about groups decides by.
pub(crate) mod code {
    use super::Code;

    pub(crate) const NOT_AUTHORISED: i32 =
        Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as i32;
}

/// A group as its coordinator describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Described {
    /// Whether it is dividing its partitions anew.
    pub(crate) is_moving: bool,
    /// Its members, each with what the protocol says of the partitions that it has.
    pub(crate) members: Vec<(String, Vec<u8>)>,
}

/// An offset of a partition, or the code of what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// A committed one is negative where nothing is committed.
    pub(crate) offset: Result<i64, i32>,
}

/// Which offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// That of its first record.
    First,
    /// That after its last one, whether it is part of an open transaction or not.
    End,
}

/// A list of partitions that librdkafka reads.
struct List(*mut c::rd_kafka_topic_partition_list_t);

impl List {
    fn of(asked: &[Asked<'_>]) -> Self {
        let count = i32::try_from(asked.len()).unwrap_or(i32::MAX);
        // SAFETY: the list is alive until it is dropped; names end with a zero and are copied.
        unsafe {
            let list = Self(c::rd_kafka_topic_partition_list_new(count));
            for one in asked {
                let Ok(topic) = c_string(one.topic) else { continue };
                let entry =
                    c::rd_kafka_topic_partition_list_add(list.0, topic.as_ptr(), one.partition);
                (*entry).offset = one.offset;
            }
            list
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: made by `of`, destroyed once.
        unsafe { c::rd_kafka_topic_partition_list_destroy(self.0) };
    }
}

impl Client {
    /// What the client's own group has committed of partitions, one for each; nothing is committed by that.
    ///
    /// Not asked by the library's administration, which ends the whole process by an assertion where a
    /// coordinator does not answer in time (librdkafka's issue 4605).
    pub(crate) fn committed(&self, asked: &[Asked<'_>], timeout_ms: i32) -> Result<Vec<Told>, i32> {
        let list = List::of(asked);
        // SAFETY: the client and the list are alive.
        unsafe {
            let failed = raw_code::rd_kafka_committed(self.raw(), list.0, timeout_ms);
            if failed == 0 { Ok(told(list.0)) } else { Err(failed) }
        }
    }

    /// Who is in a group; nobody if it is not there, or not one of the classic protocol.
    pub(crate) fn members(&self, group: &CStr, timeout_ms: i32) -> Result<Described, i32> {
        let mut found: *const c::rd_kafka_group_list = ptr::null();
        // SAFETY: the name ends with a zero; what is found is read and destroyed here.
        unsafe {
            let failed = raw_code::rd_kafka_list_groups(
                self.raw(),
                group.as_ptr(),
                &raw mut found,
                timeout_ms,
            );
            if found.is_null() {
                return Err(failed);
            }
            let count = usize::try_from((*found).group_cnt).unwrap_or(0);
            let mut described = Described::default();
            for index in 0..count {
                let group = (*found).groups.cast_const().add(index);
                described.is_moving |= MOVING.contains(&text((*group).state).as_str());
                let members = slice_of((*group).members.cast_const(), (*group).member_cnt);
                described.members.extend(members.iter().map(|it| member(it)));
            }
            c::rd_kafka_group_list_destroy(found);
            // Some of the brokers did not answer.
            if failed == 0 { Ok(described) } else { Err(failed) }
        }
    }

    /// Asks whether we may ask about a group. To be asked while brokers answer (see [`Client::committed`]).
    pub(crate) fn may_describe(&self, group: &CStr) -> Pending<'_, Answer<()>> {
        self.ask(
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
            Patience { broker: None, timeout_ms: HOUR_MS },
            read_group,
            |options, queue| {
                let mut names = [group.as_ptr()];
                // SAFETY: the name ends with a zero and is copied by the call.
                unsafe {
                    c::rd_kafka_DescribeConsumerGroups(
                        self.raw(),
                        names.as_mut_ptr(),
                        names.len(),
                        options,
                        queue,
                    );
                }
            },
        )
    }

    /// Asks for first or last offsets of partitions; the answer has one for each.
    pub(crate) fn offsets(
        &self,
        asked: &[Asked<'_>],
        which: Which,
        timeout_ms: i32,
    ) -> Pending<'_, Vec<Told>> {
        let offset = match which {
            Which::First => c::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_EARLIEST,
            Which::End => c::rd_kafka_OffsetSpec_t::RD_KAFKA_OFFSET_SPEC_LATEST,
        } as i64;
        let asked: Vec<Asked<'_>> =
            asked.iter().map(|one| Asked { offset, ..one.clone() }).collect();
        let list = List::of(&asked);
        self.ask(
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS,
            Patience { broker: None, timeout_ms },
            read_offsets,
            |options, queue| {
                // SAFETY: the list is copied by the call.
                unsafe { c::rd_kafka_ListOffsets(self.raw(), list.0, options, queue) };
            },
        )
    }
}

/// # Safety
/// `error` is null or alive.
unsafe fn failure(error: *const c::rd_kafka_error_t) -> Option<(i32, String)> {
    // SAFETY: as the caller says; a null pointer is code 0.
    unsafe {
        let failed = raw_code::rd_kafka_error_code(error);
        (failed != 0).then(|| (failed, text(c::rd_kafka_error_string(error))))
    }
}

/// # Safety
/// `list` is null or alive.
unsafe fn told(list: *const c::rd_kafka_topic_partition_list_t) -> Vec<Told> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: as the caller says; all that is read is copied.
    unsafe {
        let (first, count) = ((*list).elems.cast_const(), (*list).cnt);
        (0..usize::try_from(count).unwrap_or(0)).map(|index| one_told(first.add(index))).collect()
    }
}

/// # Safety
/// `entry` is alive.
unsafe fn one_told(entry: *const c::rd_kafka_topic_partition_t) -> Told {
    // SAFETY: as the caller says; no reference is made to the whole, whose code may be unknown.
    unsafe {
        let failed = raw_code::read(&raw const (*entry).err);
        Told {
            topic: text((*entry).topic),
            partition: (*entry).partition,
            offset: if failed == 0 { Ok((*entry).offset) } else { Err(failed) },
        }
    }
}

/// # Safety
/// What `member` points to is alive.
unsafe fn member(member: &c::rd_kafka_group_member_info) -> (String, Vec<u8>) {
    let size = member.member_assignment_size;
    // SAFETY: as the caller says; a size is that of the bytes before it.
    let has = unsafe { slice_of(member.member_assignment.cast_const().cast::<u8>(), size) };
    (text(member.member_id), has.to_vec())
}

fn read_group(event: *mut c::rd_kafka_event_t) -> Answer<()> {
    let mut count = 0;
    // SAFETY: the event is alive and holds this kind of result; all that is read is copied.
    unsafe {
        let result = c::rd_kafka_event_DescribeConsumerGroups_result(event);
        let groups = c::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        let group = pointers(groups, count).first();
        let failed = group.and_then(|&it| failure(c::rd_kafka_ConsumerGroupDescription_error(it)));
        failed.map_or(Ok(()), Err)
    }
}

fn read_offsets(event: *mut c::rd_kafka_event_t) -> Vec<Told> {
    let mut count = 0;
    // SAFETY: as above.
    unsafe {
        let result = c::rd_kafka_event_ListOffsets_result(event);
        let infos = c::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        let partition = |&info| one_told(c::rd_kafka_ListOffsetsResultInfo_topic_partition(info));
        pointers(infos, count).iter().map(partition).collect()
    }
}
