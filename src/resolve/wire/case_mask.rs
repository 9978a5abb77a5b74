//! [`CaseMask`]: the random case of the letters of a name in a query.

use std::num::NonZeroU32;

/// Which letters of a name are upper case in one query ([draft-vixie-dnsext-dns0x20]).
///
/// Names are compared without regard to case (RFC 4343), and nameservers copy the question into
/// their response as it came. So the case of its letters is one more thing that a forger has to
/// guess. Only letters take a bit, as nothing else has a case; the 32nd letter takes the first bit
/// again, since what is left to guess by then is beyond reach.
///
/// [draft-vixie-dnsext-dns0x20]: https://datatracker.ietf.org/doc/html/draft-vixie-dnsext-dns0x20-00
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CaseMask(NonZeroU32);

/// The bit that is always set, so that a query without a mask takes no space for it. It stands for
/// no letter.
const MARK: u32 = 1 << BITS;
const BITS: u32 = 31;

impl CaseMask {
    /// A mask from 31 random bits.
    pub(crate) fn new(random: &mut dyn FnMut() -> u16) -> Self {
        let bits = u32::from(random()) << 16 | u32::from(random());
        Self(NonZeroU32::new(bits >> 1 | MARK).expect("one bit is set"))
    }

    /// Gives the letters of a name, in wire form, their case. The octets that give a label's length
    /// are below 64 and so never letters.
    pub(crate) fn apply(self, name: &mut [u8]) {
        let letters = name.iter_mut().filter(|octet| octet.is_ascii_alphabetic());
        for (letter, bit) in letters.zip((0..BITS).cycle()) {
            let is_upper = self.0.get() >> bit & 1 == 1;
            *letter =
                if is_upper { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
        }
    }
}

#[cfg(test)]
pub(in crate::resolve) mod tests {
    use super::*;

    /// The mask whose letters are upper case where these bits are set, from the lowest on.
    pub(in crate::resolve) fn mask(bits: u32) -> CaseMask {
        let [a, b, c, d] = (bits << 1).to_be_bytes();
        let mut halves = [[a, b], [c, d]].map(u16::from_be_bytes).into_iter();
        CaseMask::new(&mut || halves.next().expect("two draws"))
    }

    fn applied(bits: u32, name: &[u8]) -> Vec<u8> {
        let mut name = name.to_vec();
        mask(bits).apply(&mut name);
        name
    }

    #[test]
    fn each_bit_is_the_case_of_one_letter() {
        let name = b"\x03wWw\x07ex-4mpl\0";
        assert_eq!(applied(0, name), b"\x03www\x07ex-4mpl\0");
        assert_eq!(applied(u32::MAX, name), b"\x03WWW\x07EX-4MPL\0");
        for (bit, mixed) in [
            b"\x03Www\x07ex-4mpl\0",
            b"\x03wWw\x07ex-4mpl\0",
            b"\x03wwW\x07ex-4mpl\0",
            b"\x03www\x07Ex-4mpl\0",
            b"\x03www\x07eX-4mpl\0",
            b"\x03www\x07ex-4Mpl\0",
            b"\x03www\x07ex-4mPl\0",
            b"\x03www\x07ex-4mpL\0",
        ]
        .iter()
        .enumerate()
        {
            assert_eq!(applied(1 << bit, name), *mixed, "bit {bit}");
        }
    }

    #[test]
    fn the_bits_of_a_long_name_come_again() {
        let (name, bits) = ([b'a'; 63], 0x4000_0001);
        let upper: Vec<_> = (0..63).filter(|&n| applied(bits, &name)[n] == b'A').collect();
        assert_eq!(upper, [0, 30, 31, 61, 62]);
    }

    #[test]
    fn what_is_no_letter_keeps_its_octet() {
        let octets: Vec<u8> = (0..=255).filter(|octet: &u8| !octet.is_ascii_alphabetic()).collect();
        assert_eq!(applied(u32::MAX, &octets), octets);
        assert_eq!(applied(0, &octets), octets);
    }

    #[test]
    fn a_query_without_a_mask_takes_no_space_for_it() {
        assert_eq!(size_of::<Option<CaseMask>>(), 4);
    }
}
