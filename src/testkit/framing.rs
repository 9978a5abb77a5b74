//! How a message stands in a TCP stream.

use std::time::Duration;

/// Long enough for the asker to read one piece before the next one comes.
const BETWEEN_PIECES: Duration = Duration::from_millis(5);

/// How a message stands in a TCP stream.
#[derive(Clone, Debug, Default)]
pub struct Framing {
    /// Instead of the true length.
    pub length: Option<u16>,
    pub unframed: bool,
    /// The sizes of the pieces in which it is written; what is left over is the last piece.
    pub pieces: Vec<usize>,
    /// Every piece is one byte, with this time between two.
    pub drip: Option<Duration>,
    /// Held until so many messages wait on the connection.
    pub together: usize,
}

impl Framing {
    /// The bytes with their length before them, or with what the script puts there.
    pub fn framed(&self, bytes: &[u8]) -> Vec<u8> {
        if self.unframed {
            return bytes.to_vec();
        }
        let length = self.length.unwrap_or_else(|| {
            u16::try_from(bytes.len()).expect("a TCP message of at most 65,535 bytes")
        });
        [&length.to_be_bytes(), bytes].concat()
    }

    /// The pieces in which a framed message is written, and the time between two.
    pub fn pieces<'a>(&self, bytes: &'a [u8]) -> (Vec<&'a [u8]>, Duration) {
        if let Some(gap) = self.drip {
            return (bytes.chunks(1).collect(), gap);
        }
        let mut pieces = Vec::new();
        let mut rest = bytes;
        for &size in &self.pieces {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        pieces.retain(|piece| !piece.is_empty());
        (pieces, BETWEEN_PIECES)
    }
}

/// The bytes with their length before them, as they travel over TCP.
pub fn framed(bytes: &[u8]) -> Vec<u8> {
    Framing::default().framed(bytes)
}
