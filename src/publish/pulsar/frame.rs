//! Frames of Pulsar's binary protocol.
//!
//! A command is `[total][length][command]`. One that carries messages goes on with
//! `[0x0e01][checksum][length][metadata][messages]`, where the checksum is the CRC-32C of all that
//! comes after it. Numbers are 32 bits, big-endian; `total` counts what comes after itself. Commands
//! and metadata are Protocol Buffers.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message as _;
use pulsar::message::proto::base_command::Type;
use pulsar::message::proto::{BaseCommand, CommandSend, MessageMetadata};

/// Says that a checksum follows.
const MAGIC: u16 = 0x0e01;

/// The longest frame that we take: a broker's answers are short, its lists of topics are not.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What came is not Pulsar's protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what it sent is not Pulsar's protocol: {reason}")]
pub(super) struct Malformed {
    reason: String,
}

/// A frame with messages: what the broker reads first, and the messages.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// All that comes before the messages.
    pub(crate) head: Bytes,
    /// The messages.
    pub(crate) body: Bytes,
}

impl Frame {
    /// All of it.
    pub(crate) fn bytes(&self) -> impl Buf + use<> {
        self.head.clone().chain(self.body.clone())
    }
}

/// The frame of a command without messages.
pub(crate) fn command(command: &impl prost::Message) -> Bytes {
    let length = command.encoded_len();
    let mut bytes = BytesMut::with_capacity(8 + length);
    bytes.put_u32(word(4 + length));
    bytes.put_u32(word(length));
    bytes.put_slice(&command.encode_to_vec());
    bytes.freeze()
}

/// The frame that sends messages.
pub(crate) fn messages(send: CommandSend, metadata: &MessageMetadata, body: Bytes) -> Frame {
    let command =
        BaseCommand { r#type: Type::Send.into(), send: Some(send), ..BaseCommand::default() };
    let (command, metadata) = (command.encode_to_vec(), metadata.encode_to_vec());
    let mut tail = BytesMut::with_capacity(4 + metadata.len());
    tail.put_u32(word(metadata.len()));
    tail.put_slice(&metadata);
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&tail), &body);
    let mut head = BytesMut::with_capacity(14 + command.len() + tail.len());
    head.put_u32(word(10 + command.len() + tail.len() + body.len()));
    head.put_u32(word(command.len()));
    head.put_slice(&command);
    head.put_u16(MAGIC);
    head.put_u32(checksum);
    head.put_slice(&tail);
    Frame { head: head.freeze(), body }
}

/// What came: a command, and what its frame has after it, which is a message with its metadata.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The command.
    pub(super) command: BaseCommand,
    /// The rest, from the magic number of the checksum on.
    pub(super) rest: Bytes,
}

/// Takes the first command off what came; None if it is not whole yet.
pub(super) fn take(came: &mut BytesMut) -> Result<Option<Taken>, Malformed> {
    let Some(total) = came.first_chunk().map(|total| u32::from_be_bytes(*total) as usize) else {
        return Ok(None);
    };
    if !(4..=ANSWER_BYTES_MAX).contains(&total) {
        return Err(Malformed { reason: format!("a frame of {total} bytes") });
    }
    if came.len() < 4 + total {
        came.reserve(4 + total - came.len());
        return Ok(None);
    }
    let mut frame = came.split_to(4 + total);
    frame.advance(4);
    let length = frame.get_u32() as usize;
    let command = frame.get(..length).ok_or_else(|| {
        let reason = format!("a command of {length} bytes in a frame of {total}");
        Malformed { reason }
    })?;
    let command = BaseCommand::decode(command);
    let command = command.map_err(|error| Malformed { reason: error.to_string() })?;
    frame.advance(length);
    Ok(Some(Taken { command, rest: frame.freeze() }))
}

/// A length as the protocol writes it.
fn word(length: usize) -> u32 {
    let word = u32::try_from(length);
    assert!(word.is_ok(), "a frame is shorter than 4 GiB");
    word.unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use pulsar::message::{Codec, Message};
    use tokio_util::codec::Decoder;

    use super::*;

    fn ping() -> BaseCommand {
        BaseCommand { r#type: Type::Ping.into(), ..BaseCommand::default() }
    }

    #[test]
    fn commands_come_out_whole_however_they_arrive() {
        let both = [command(&ping()), command(&ping())].concat();
        let mut came = BytesMut::new();
        let mut seen = 0;
        for byte in &both {
            came.put_u8(*byte);
            seen += usize::from(take(&mut came).unwrap().is_some_and(|it| it.command == ping()));
        }
        assert_eq!((seen, came.len()), (2, 0));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [&[0, 0, 0, 3, 0, 0, 0, 0][..], b"HTTP/1.1 400 Bad Request"] {
            assert!(take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
        // A command that is said to be longer than its frame, and one that is none.
        for bytes in [&[0, 0, 0, 5, 0, 0, 0, 9, 8][..], &[0, 0, 0, 6, 0, 0, 0, 2, 255, 255]] {
            assert!(take(&mut BytesMut::from(bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn another_codec_reads_messages_and_their_checksum() {
        let send = CommandSend { producer_id: 3, sequence_id: 7, ..CommandSend::default() };
        let metadata = MessageMetadata {
            producer_name: "me".to_owned(),
            sequence_id: 7,
            ..MessageMetadata::default()
        };
        let frame = messages(send, &metadata, Bytes::from_static(b"what is sent"));
        let mut bytes = BytesMut::from([frame.head, frame.body].concat().as_slice());
        let Message { command, payload } = Codec.decode(&mut bytes).unwrap().unwrap();
        assert_eq!(command.send, Some(send));
        let payload = payload.unwrap();
        assert_eq!((payload.metadata, payload.data.as_slice()), (metadata, &b"what is sent"[..]));
        assert!(bytes.is_empty());
    }
}
