//! No code here: the tests are all there is.
