//! The errors of puts and gets.

use std::fmt;

/// Why a put ended before its items were in the queue. The caller has the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The queue is closed, or no getter is left.
    #[error("queue is closed")]
    Closed,
    /// The queue is canceled, and the put was a cancelable one.
    #[error("queue is canceled")]
    Canceled,
    /// There is no room now, or other putters wait for it. Only
    /// [`Putter::try_put_one`](super::Putter::try_put_one) returns it.
    #[error("queue is full")]
    Full,
    /// The deadline passed first. Only the blocking methods return it.
    #[error("deadline passed before there was room")]
    DeadlinePassed,
}

/// An item that was not put into the queue, and why.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("item was not put")]
pub struct Unsent<T> {
    /// The item, for the caller to keep.
    pub item: T,
    /// Why it came back.
    #[source]
    pub cause: PutError,
}

impl<T> fmt::Debug for Unsent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsent").field("cause", &self.cause).finish_non_exhaustive()
    }
}

/// Why a get returned no items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// The queue is closed or has no putter left, and all of its items have been taken.
    #[error("queue is closed and drained")]
    Closed,
    /// There is no item for this getter now. Only [`Getter::try_get`](super::Getter::try_get) and
    /// [`Getter::try_get_one`](super::Getter::try_get_one)
    /// return it.
    #[error("queue is empty")]
    Empty,
    /// The deadline passed first. Only [`Getter::blocking_get`](super::Getter::blocking_get) and
    /// [`Getter::blocking_get_one`](super::Getter::blocking_get_one)
    /// return it.
    #[error("deadline passed before enough items came")]
    DeadlinePassed,
}
