//! A message that is not quite what it was.

use super::input::Input;

/// Changes a message here and there: in the fields that a response is known by, or anywhere.
pub(crate) fn changed(input: &Input, mut octets: Vec<u8>) -> Vec<u8> {
    for _ in 0..=input.index(4) {
        change(input, &mut octets);
    }
    octets
}

fn change(input: &Input, octets: &mut Vec<u8>) {
    let choice = input.byte() % 16;
    let len = octets.len();
    let place = usize::from(input.word()) % len.max(1);
    let question_end = 12 + octets.iter().skip(12).position(|&octet| octet == 0).unwrap_or(0);
    let header_or_question = usize::from(input.byte()) % len.min(question_end + 5).max(1);
    match choice {
        _ if octets.is_empty() => octets.extend(input.take(16)),
        // The id, the flags, the counts, the letters, type and class of the question.
        0..4 => octets[header_or_question] ^= 1 << input.index(8),
        4 => octets[header_or_question] = input.byte(),
        5 => octets[place] ^= 1 << input.index(8),
        6 => octets[place] = input.byte(),
        7 => drop(octets.splice(place..place, input.take(1 + input.index(8)).to_vec())),
        8 => drop(octets.remove(place)),
        9 => octets.truncate(place),
        10 => octets.extend(input.take(1 + input.index(8))),
        // A pointer to anywhere.
        11 if place + 1 < len => {
            octets[place] = 0xc0;
            octets[place + 1] = input.byte();
        }
        // The question once more, counted or not.
        12 if question_end + 5 <= len => {
            let question = octets[12..question_end + 5].to_vec();
            octets.splice(12..12, question);
            octets[5] = octets[5].wrapping_add(input.byte() % 2);
        }
        // The case of the question's letters.
        13 => octets[12.min(len)..question_end.min(len)].make_ascii_uppercase(),
        // A record more or less than there are.
        14 if len >= 12 => {
            let count = 5 + 2 * input.index(4);
            octets[count] = octets[count].wrapping_add(*input.pick(&[1, 255, 16]));
        }
        _ => octets.rotate_left(place),
    }
}
