//! Names and pointers (RFC 1035 section 4.1.4), against the reading of the `domain` crate.

use domain::base::name::{Label, ParsedName};
use domain::dep::octseq::Parser;
use proptest::prelude::*;

use super::*;

fn name_at(message: &[u8], at: usize) -> Result<(Name<'_>, usize), Malformed> {
    let mut reader = Reader { message, at };
    reader.read_name().map(|name| (name, reader.at))
}

fn text(name: Name<'_>) -> String {
    name.labels().map(|label| String::from_utf8_lossy(label) + ".").collect()
}

#[test]
fn a_name_is_read_by_way_of_its_pointers() {
    let message = b"\x07example\0\x03www\xc0\x00\xc0\x09\xc0\x0f!";
    for (at, want, end) in [
        (0, "example.", 9),
        (8, "", 9),
        (9, "www.example.", 15),
        (15, "www.example.", 17),
        (17, "www.example.", 19),
    ] {
        let (name, after) = name_at(message, at).unwrap();
        assert_eq!((&*text(name), after), (want, end), "at {at}");
        assert_eq!(name.len(), want.len() + 1, "at {at}");
        assert_eq!(name.is_root(), want.is_empty(), "at {at}");
    }
    assert_eq!(name_at(message, 19).map(|(name, _)| text(name)), Err(Malformed));
    assert_eq!(name_at(message, 20).map(|(name, _)| text(name)), Err(Malformed));
}

#[test]
fn a_pointer_leads_to_before_the_labels_that_end_in_it() {
    // The second would end, were it followed: with the label `a` that stands inside the label of
    // three octets before it.
    assert!(name_at(b"\x01a\xc0\x00\0", 0).is_err(), "to its own first label");
    assert!(name_at(b"\x03\x01a\0\xc0\x01\0", 0).is_err(), "into its own first label");
    assert!(name_at(b"\0\x01a\xc0\x00", 1).is_ok(), "to the octet before");
}

#[test]
fn names_compare_and_hash_without_case_wherever_they_stand() {
    let message = b"\x03www\x07example\0\x03WWW\xc0\x04\x03ftp\xc0\x04\x02ww\x08wexample\0";
    let at = |at| name_at(message, at).unwrap().0;
    let (www, again, ftp, other) = (at(0), at(13), at(19), at(25));
    assert!(www == again && !www.is_same_place(again));
    assert_eq!(www.hash(), again.hash());
    assert!(www != ftp && www != other);
    assert_ne!(www.hash(), ftp.hash());
    assert_ne!(www.hash(), other.hash());
}

#[test]
fn a_name_is_below_each_of_its_ends_on_a_label() {
    let message = b"\x01a\x02bc\x07Example\0\x02BC\x07example\0\x01c\x07example\0";
    let at = |at| name_at(message, at).unwrap().0;
    let name = at(0);
    for (ancestor, is_below) in
        [(0, true), (2, true), (5, true), (13, true), (14, true), (26, false)]
    {
        assert_eq!(name.is_at_or_below(at(ancestor)), is_below, "{}", text(at(ancestor)));
    }
    assert!(!at(2).is_at_or_below(name), "the other way round");
}

#[test]
fn the_data_of_a_record_ends_where_its_length_says() {
    // Owner root, type CNAME, class IN, TTL 1, two octets of data that begin a longer name.
    let message = b"\0\0\x05\0\x01\0\0\0\x01\0\x02\x03www\0";
    let mut reader = Reader::new(message);
    let mut record = reader.read_record().unwrap();
    assert_eq!((record.rtype, record.class, record.ttl), (rtype::CNAME, CLASS_IN, 1));
    assert_eq!(record.data.read_name().map(text), Err(Malformed));
    assert_eq!(reader.remaining(), 3);
    assert!(Reader::new(&message[..12]).read_record().is_err(), "data that did not come");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// What both accept is the same name; what `domain` alone accepts takes more pointers, or one
    /// that leads among the labels that end in it.
    #[test]
    fn names_are_read_as_domain_reads_them(
        octets in prop::collection::vec(
            prop_oneof![4 => 0..6_u8, 2 => Just(0xc0), 1 => any::<u8>()],
            1..80,
        ),
        at in any::<prop::sample::Index>(),
    ) {
        let at = at.index(octets.len());
        let mut parser = Parser::from_ref(octets.as_slice());
        parser.advance(at).unwrap();
        let theirs = ParsedName::parse(&mut parser);
        match (name_at(&octets, at), theirs) {
            (Ok((ours, end)), Ok(theirs)) => {
                prop_assert_eq!(end, parser.pos());
                let labels = theirs.iter().map(Label::as_slice).filter(|label| !label.is_empty());
                prop_assert!(ours.labels().eq(labels));
            }
            (Ok((ours, _)), Err(e)) => prop_assert!(false, "{}: {e}", text(ours)),
            (Err(_), _) => {}
        }
    }
}
