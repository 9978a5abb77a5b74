//! Messages out of a stream of octets in pieces of any size (RFC 1035 section 4.2.2).

use proptest::prelude::*;

use super::*;

fn framed(messages: &[&[u8]]) -> Vec<u8> {
    let mut stream = Vec::new();
    for message in messages {
        write_framed(&mut stream, message);
    }
    stream
}

fn poll_all(framing: &mut Framing) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| framing.poll_message().map(<[u8]>::to_vec)).collect()
}

#[test]
fn tr05_a_message_in_pieces() {
    let message: Vec<u8> = (0..100).collect();
    let stream = framed(&[&message]);
    let mut framing = Framing::default();
    // The prefix in one octet and one octet, the message in three pieces.
    for piece in [0..1, 1..2, 2..3, 3..60, 60..101] {
        framing.handle_bytes(&stream[piece.clone()]);
        assert_eq!(framing.poll_message(), None, "after {piece:?}");
        assert!(framing.is_mid_message(), "after {piece:?}");
    }
    framing.handle_bytes(&stream[101..]);
    assert_eq!(framing.poll_message(), Some(&*message));
    assert_eq!(framing.poll_message(), None);
    assert!(!framing.is_mid_message());
}

#[test]
fn tr05_two_messages_and_the_begin_of_a_third_in_one_segment() {
    let stream = framed(&[b"the first message", b"the second", b"the third"]);
    let mut framing = Framing::default();
    framing.handle_bytes(&stream[..stream.len() - 1]);
    assert_eq!(poll_all(&mut framing), [&b"the first message"[..], b"the second"]);
    assert!(framing.is_mid_message());
    framing.handle_bytes(&stream[stream.len() - 1..]);
    assert_eq!(poll_all(&mut framing), [b"the third"]);
}

#[test]
fn tr06_messages_of_no_one_eleven_and_65535_octets() {
    let longest = vec![7; 65_535];
    let messages: [&[u8]; 5] = [b"", b"1", b"eleven octs", &longest, b"and on"];
    let mut framing = Framing::default();
    framing.handle_bytes(&framed(&messages));
    assert_eq!(poll_all(&mut framing), messages);
}

#[test]
fn t12_memory_is_taken_for_octets_received_alone() {
    let mut framing = Framing::default();
    framing.handle_bytes(b"\xff\xffa few octets");
    assert_eq!(framing.poll_message(), None);
    assert!(framing.received.capacity() < 64);
}

#[test]
fn a_long_connection_keeps_no_old_octets() {
    let stream = framed(&[&[1; 1000]]);
    let mut framing = Framing::default();
    for _ in 0..1000 {
        framing.handle_bytes(&stream);
        assert_eq!(poll_all(&mut framing).len(), 1);
    }
    assert!(framing.received.capacity() < 4 * stream.len());
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_messages(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10),
        sizes in prop::collection::vec(1..30_usize, 1..20),
    ) {
        let stream = framed(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let mut framing = Framing::default();
        let (mut got, mut rest, mut sizes) = (Vec::new(), &*stream, sizes.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(sizes.next().unwrap().min(rest.len()));
            framing.handle_bytes(piece);
            got.extend(poll_all(&mut framing));
            rest = after;
        }
        prop_assert_eq!(got, messages);
        prop_assert!(!framing.is_mid_message());
    }
}
