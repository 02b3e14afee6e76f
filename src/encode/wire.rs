//! Bytes on the wire: varints, framing, the writer of rows.
