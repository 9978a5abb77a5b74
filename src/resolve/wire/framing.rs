//! Messages on a TCP connection: two octets of length before each (RFC 1035 section 4.2.2).

/// What was received on one connection, cut into messages.
///
/// Octets go in as they arrive, in pieces of any size ([`handle_bytes`](Self::handle_bytes)); whole
/// messages come out ([`poll_message`](Self::poll_message)). Memory is taken for octets that were
/// received, never for a length that was merely announced.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    received: Vec<u8>,
    /// The octets before this one belong to messages that were handed out.
    start: usize,
}

const PREFIX_LEN: usize = 2;

impl Framing {
    /// Takes in what was read from the connection; then [`poll_message`](Self::poll_message) until
    /// `None`.
    pub(crate) fn handle_bytes(&mut self, bytes: &[u8]) {
        // What was handed out goes before there is more: the buffer holds one unfinished message
        // and one read at most, and every octet is moved at most once for each read after it.
        self.received.drain(..self.start);
        self.start = 0;
        self.received.extend_from_slice(bytes);
    }

    /// The next whole message, without its prefix; `None` until more octets arrive.
    ///
    /// A message is what its prefix says it is: it may be empty, or too short for a header.
    pub(crate) fn poll_message(&mut self) -> Option<&[u8]> {
        let (prefix, rest) = self.received[self.start..].split_first_chunk::<PREFIX_LEN>()?;
        let len = usize::from(u16::from_be_bytes(*prefix));
        let message = rest.get(..len)?;
        self.start += PREFIX_LEN + len;
        Some(message)
    }

    /// Whether a message has begun and not ended: if the connection ends here, the message is lost.
    #[cfg(test)]
    pub(crate) fn is_mid_message(&self) -> bool {
        self.start < self.received.len()
    }
}

/// Adds a message with its prefix to what is to be sent on a connection.
///
/// # Panics
///
/// The message is longer than 65,535 octets. Queries have at most 282.
pub(crate) fn write_framed(out: &mut Vec<u8>, message: &[u8]) {
    let len = u16::try_from(message.len()).expect("a query is shorter than 65,536 octets");
    // Prefix and message in one buffer, so that they travel in one segment (RFC 7766 section 8).
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests;
