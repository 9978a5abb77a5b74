//! Which bytes are sent, and what a message means (RFC 1035 section 4, RFC 5452 section 9).

use super::*;
use crate::resolve::answer::Outcome;

const ID: u16 = 0x1234;

fn name(text: &str) -> QueryName {
    QueryName::from(&text.parse::<crate::HostName>().unwrap())
}

fn expected(name: &QueryName) -> Expected<'_> {
    Expected {
        id: ID,
        name,
        record_type: RecordType::A,
        transport: Transport::Udp,
        exact_case: false,
    }
}

#[test]
fn a_query_is_a_function_of_its_arguments() {
    let mut buf = b"something of an earlier query".to_vec();
    let options = QueryOptions { edns: true, trust_ad: false };
    write_query(&mut buf, ID, &name("www.example"), RecordType::A, options);
    assert_eq!(
        buf,
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\
          \x03www\x07example\x00\x00\x01\x00\x01\
          \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
    );
    let options = QueryOptions { edns: false, trust_ad: true };
    write_query(&mut buf, ID, &name("www.example."), RecordType::Aaaa, options);
    assert_eq!(
        buf,
        b"\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x00\
          \x03www\x07example\x00\x00\x1c\x00\x01"
    );
}

#[test]
fn an_ordinary_answer() {
    let www = name("www.example");
    let message = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x01\
          \x03www\x07example\x00\x00\x01\x00\x01\
          \xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01\
          \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
    let answer = match read_response(message, expected(&www)) {
        Ok(Response::Answer(answer)) => answer,
        other => panic!("not an answer: {other:?}"),
    };
    assert_eq!(answer.outcome, Outcome::Addresses(vec!["192.0.2.1".parse().unwrap()]));
    assert_eq!(answer.ttl, Some(300));
    assert_eq!(answer.canonical, www);
}
