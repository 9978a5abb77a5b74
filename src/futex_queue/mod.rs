//! The bounded queue between threads and tasks.
