//! No code here: the test is all there is. It is a package of its own because `fork` is `unsafe`,
//! which `outrace` and its tests forbid.
