//! The rules of the queue, one test each, on one thread: futures are polled by hand.

mod ends;
mod model;
mod offers;
mod order;
mod wakes;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::Getter;

/// A future, and how often it was woken.
struct Task<F> {
    future: Pin<Box<F>>,
    counter: Arc<Counter>,
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        Self { future: Box::pin(future), counter: Counter::new() }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        poll(self.future.as_mut(), &self.counter)
    }

    fn wakes(&self) -> usize {
        self.counter.count()
    }
}

struct Counter(AtomicUsize);

impl Counter {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>, counter: &Arc<Counter>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(counter))))
}

fn drain<T>(getter: &mut Getter<T>) -> Vec<T> {
    let mut buf = Vec::new();
    while getter.try_get(&mut buf, usize::MAX).is_ok() {}
    buf
}

fn fire(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
