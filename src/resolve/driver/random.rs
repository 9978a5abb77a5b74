//! Message ids from the operating system's random source.

/// How many ids one system call brings.
const IDS_PER_CALL: usize = 128;

/// A source of unpredictable message ids (RFC 5452 section 9.2: "the full 16 bits").
///
/// # Panics
///
/// The source does, if the operating system has no random numbers. Predictable ids would be worse.
pub(crate) fn os_random() -> impl FnMut() -> u16 + Send + 'static {
    let mut bytes = [0; 2 * IDS_PER_CALL];
    let mut used = bytes.len();
    move || {
        if used == bytes.len() {
            getrandom::fill(&mut bytes).expect("the operating system has random numbers");
            used = 0;
        }
        let id = u16::from_ne_bytes([bytes[used], bytes[used + 1]]);
        used += 2;
        id
    }
}

#[cfg(test)]
mod tests;
