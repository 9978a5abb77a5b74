//! Names and records, read where they stand in a message (RFC 1035 section 4.1).
//!
//! Nothing is copied, and nothing is believed: a length is checked against the octets that came, a
//! pointer may lead backwards alone, and the work for one name has a bound, whatever the message.
//! So reading a message takes time in proportion to its octets.

use crate::resolve::RecordType;

/// Record types (RFC 1035 section 3.2.2, RFC 3596, RFC 6891).
pub(crate) mod rtype {
    pub(in crate::resolve) const A: u16 = 1;
    pub(in crate::resolve) const NS: u16 = 2;
    pub(in crate::resolve) const CNAME: u16 = 5;
    pub(in crate::resolve) const SOA: u16 = 6;
    pub(in crate::resolve) const AAAA: u16 = 28;
    pub(in crate::resolve) const OPT: u16 = 41;
}

/// The class of the Internet.
pub(crate) const CLASS_IN: u16 = 1;

/// A name takes at most this many octets uncompressed, the root label included (RFC 1035 section
/// 2.3.4).
pub(crate) const MAX_NAME_LEN: usize = 255;

/// How many pointers one name may take.
///
/// A name has at most 127 labels, so more pointers than that lead to no label of their own and are
/// there to cost time. (A few that lead straight to another pointer are let pass: Knot DNS writes
/// them.)
const MAX_POINTERS: usize = 127;

/// The octets cannot be read as what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl RecordType {
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::A => rtype::A,
            Self::Aaaa => rtype::AAAA,
        }
    }
}

/// A place in a message, from which it is read on.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// The message up to where this reader may go: its end, or the end of one record's data.
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// How many octets are left.
    pub(crate) fn remaining(&self) -> usize {
        self.message.len() - self.at
    }

    /// Nothing may be left.
    pub(crate) fn expect_end(&self) -> Result<(), Malformed> {
        if self.remaining() == 0 { Ok(()) } else { Err(Malformed) }
    }

    pub(crate) fn read_u16(&mut self) -> Result<u16, Malformed> {
        self.read_array().map(u16::from_be_bytes)
    }

    pub(crate) fn read_u32(&mut self) -> Result<u32, Malformed> {
        self.read_array().map(u32::from_be_bytes)
    }

    pub(crate) fn read_array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let octets = self.message[self.at..].first_chunk().ok_or(Malformed)?;
        self.at += N;
        Ok(*octets)
    }

    /// Reads a name, and goes on behind it.
    pub(crate) fn read_name(&mut self) -> Result<Name<'a>, Malformed> {
        let (mut at, mut len, mut pointers) = (self.at, 0, 0);
        // Where the labels that are being read begin, and where the name ends in the place in which
        // it was found.
        let (mut start, mut end) = (at, None);
        // The place of the first label: behind pointers, if the name begins with them.
        let mut first_label = at;
        loop {
            let octet = *self.message.get(at).ok_or(Malformed)?;
            match octet {
                0 => {
                    self.at = end.unwrap_or(at + 1);
                    let len = u8::try_from(len + 1).map_err(|_| Malformed)?;
                    return Ok(Name { message: self.message, at: first_label, len });
                }
                1..=0x3f => {
                    at += 1 + usize::from(octet);
                    len += 1 + usize::from(octet);
                    if len >= MAX_NAME_LEN {
                        return Err(Malformed);
                    }
                }
                0xc0.. => {
                    let low = *self.message.get(at + 1).ok_or(Malformed)?;
                    end = end.or(Some(at + 2));
                    pointers += 1;
                    let target = usize::from(u16::from_be_bytes([octet & 0x3f, low]));
                    // A pointer stands for a prior occurrence of the same name (RFC 1035 section
                    // 4.1.4): prior to the labels that end in it. So each leads further back than
                    // the one before, and no row of them is endless.
                    if target >= start || pointers > MAX_POINTERS {
                        return Err(Malformed);
                    }
                    (at, start) = (target, target);
                    if len == 0 {
                        first_label = target;
                    }
                }
                // "The 10 and 01 combinations are reserved for future use." (RFC 1035 section
                // 4.1.4)
                0x40..=0xbf => return Err(Malformed),
            }
        }
    }

    /// Reads a record, and goes on behind it.
    pub(crate) fn read_record(&mut self) -> Result<Record<'a>, Malformed> {
        let owner = self.read_name()?;
        let (rtype, class, ttl) = (self.read_u16()?, self.read_u16()?, self.read_u32()?);
        let data_len = usize::from(self.read_u16()?);
        if data_len > self.remaining() {
            return Err(Malformed);
        }
        let data = Self { message: &self.message[..self.at + data_len], at: self.at };
        self.at += data_len;
        Ok(Record { owner, rtype, class, ttl, data })
    }
}

/// A record.
pub(crate) struct Record<'a> {
    pub(crate) owner: Name<'a>,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    /// The octets as they stand there: an OPT record uses them for other things than a TTL, which
    /// [`ttl_seconds`] makes of them.
    pub(crate) ttl: u32,
    /// Its data, and no more.
    pub(crate) data: Reader<'a>,
}

/// A TTL in seconds.
///
/// "Implementations should treat TTL values received with the most significant bit set as if the
/// entire value received was zero." ([RFC 2181 section 8])
///
/// [RFC 2181 section 8]: https://www.rfc-editor.org/rfc/rfc2181#section-8
pub(crate) fn ttl_seconds(ttl: u32) -> u32 {
    if ttl >> 31 == 0 { ttl } else { 0 }
}

/// A name inside a message, already checked to its end.
///
/// Compares without regard to ASCII case (RFC 4343).
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    message: &'a [u8],
    /// Where its first label stands, or the root label.
    at: usize,
    /// Its octets, uncompressed.
    len: u8,
}

impl<'a> Name<'a> {
    /// How many octets it has uncompressed, the root label included.
    pub(crate) fn len(self) -> usize {
        self.len.into()
    }

    pub(crate) fn is_root(self) -> bool {
        self.len == 1
    }

    /// Whether it begins at the same place: then it is the same name, without a look at it.
    pub(crate) fn is_same_place(self, other: Self) -> bool {
        self.at == other.at
    }

    /// Its labels, without the root label.
    pub(crate) fn labels(self) -> Labels<'a> {
        Labels(self)
    }

    /// Whether it is `ancestor` or a name below it.
    pub(crate) fn is_at_or_below(self, ancestor: Self) -> bool {
        let mut labels = self.labels();
        while labels.0.len > ancestor.len {
            labels.next();
        }
        labels.0 == ancestor
    }

    /// A number that is the same for equal names: FNV-1a over the labels in lower case.
    ///
    /// A hostile message can have two names with the same number, and gains nothing by it: they are
    /// then compared.
    pub(crate) fn hash(self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for label in self.labels() {
            for octet in label.iter().map(u8::to_ascii_lowercase).chain([b'.']) {
                hash = (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        hash
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_place(*other)
            || self.len == other.len
                && self.labels().zip(other.labels()).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }
}

/// The labels of a name, one after the other; what is left of the name is a name.
pub(crate) struct Labels<'a>(Name<'a>);

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let Name { message, at, len } = &mut self.0;
        if *len == 1 {
            return None;
        }
        // The name was read to its end once: each octet is there, and each pointer leads on.
        while message[*at] >= 0xc0 {
            *at = usize::from(u16::from_be_bytes([message[*at] & 0x3f, message[*at + 1]]));
        }
        let label_len = message[*at];
        let label = &message[*at + 1..][..usize::from(label_len)];
        *at += 1 + label.len();
        *len -= 1 + label_len;
        Some(label)
    }
}

#[cfg(test)]
mod tests;
