//! Groups of consumers: who is in them, what they committed, and where partitions begin and end.

use std::ffi::CStr;

use rdkafka::bindings as c;
use rdkafka::types::RDKafkaRespErr as Code;

use super::admin::{Answer, Patience, Pending, pointers};
use super::consume::Asked;
use super::{Client, c_string, raw_code, text};

/// The codes that asking about groups decides by.
pub(crate) mod code {
    use super::Code;

    pub(crate) const NOT_AUTHORISED: i32 =
        Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as i32;
    pub(crate) const NO_SUCH_GROUP: i32 = Code::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND as i32;
}

/// A group as its coordinator describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Described {
    /// Whether it is dividing its partitions anew.
    pub(crate) is_moving: bool,
    /// Its members, each with the partitions that it has.
    pub(crate) members: Vec<(String, Vec<(String, i32)>)>,
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
    /// Asks for what a group has committed of partitions; the answer has one for each.
    pub(crate) fn committed(
        &self,
        group: &CStr,
        asked: &[Asked<'_>],
        timeout_ms: i32,
    ) -> Pending<'_, Answer<Vec<Told>>> {
        let list = List::of(asked);
        self.ask(
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
            Patience { broker: None, timeout_ms },
            read_committed,
            |options, queue| {
                // SAFETY: the name ends with a zero; name and list are copied by the call, and the
                // question is destroyed here.
                unsafe {
                    let mut question =
                        c::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), list.0);
                    c::rd_kafka_ListConsumerGroupOffsets(
                        self.raw(),
                        &raw mut question,
                        1,
                        options,
                        queue,
                    );
                    c::rd_kafka_ListConsumerGroupOffsets_destroy(question);
                }
            },
        )
    }

    /// Asks who is in a group. One that is not there has no members, or is refused.
    pub(crate) fn describe_group(
        &self,
        group: &CStr,
        timeout_ms: i32,
    ) -> Pending<'_, Answer<Described>> {
        self.ask(
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
            Patience { broker: None, timeout_ms },
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

/// Nothing is told of the one group that was asked for: librdkafka does not do that.
fn nothing_told<T>() -> Answer<T> {
    Err((0, "the answer is empty".to_owned()))
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

fn read_committed(event: *mut c::rd_kafka_event_t) -> Answer<Vec<Told>> {
    let mut count = 0;
    // SAFETY: the event is alive and holds this kind of result; all that is read is copied.
    unsafe {
        let result = c::rd_kafka_event_ListConsumerGroupOffsets_result(event);
        let groups = c::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
        let Some(&group) = pointers(groups, count).first() else { return nothing_told() };
        match failure(c::rd_kafka_group_result_error(group)) {
            Some(failure) => Err(failure),
            None => Ok(told(c::rd_kafka_group_result_partitions(group))),
        }
    }
}

fn read_group(event: *mut c::rd_kafka_event_t) -> Answer<Described> {
    use c::rd_kafka_consumer_group_state_t as State;
    let mut count = 0;
    // SAFETY: as above; the state is one of librdkafka's own, whatever the broker says.
    unsafe {
        let result = c::rd_kafka_event_DescribeConsumerGroups_result(event);
        let groups = c::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        let Some(&group) = pointers(groups, count).first() else { return nothing_told() };
        if let Some(failure) = failure(c::rd_kafka_ConsumerGroupDescription_error(group)) {
            return Err(failure);
        }
        let state = c::rd_kafka_ConsumerGroupDescription_state(group);
        let is_moving = state == State::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE
            || state == State::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE;
        let members = (0..c::rd_kafka_ConsumerGroupDescription_member_count(group)).map(|index| {
            let member = c::rd_kafka_ConsumerGroupDescription_member(group, index);
            let id = text(c::rd_kafka_MemberDescription_consumer_id(member));
            let assignment = c::rd_kafka_MemberDescription_assignment(member);
            let has = if assignment.is_null() {
                Vec::new()
            } else {
                told(c::rd_kafka_MemberAssignment_partitions(assignment))
            };
            (id, has.into_iter().map(|one| (one.topic, one.partition)).collect())
        });
        Ok(Described { is_moving, members: members.collect() })
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
