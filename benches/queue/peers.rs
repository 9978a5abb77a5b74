//! The queue and its peers behind one trait, so that every row of a table is measured by the same
//! code.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;

use futures_util::FutureExt;
use futures_util::task::AtomicWaker;
use outrace::futex_queue::OfferOutcome;

/// 48 bytes, as in the seed; the first word is the time of the put, in nanoseconds.
pub type Item = [u64; 6];

pub const CAPACITY: usize = 16;

pub trait Peer: 'static {
    const NAME: &'static str;
    type Tx: Send + 'static;
    type Rx: Send + 'static;

    fn new() -> (Self::Tx, Self::Rx);

    /// Sends one item, for which there is room.
    fn send(tx: &mut Self::Tx, item: Item);

    /// Receives one item. Returns `None` when the other end is gone.
    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<Item>>;

    fn send_all(tx: &mut Self::Tx, items: &mut VecDeque<Item>) {
        items.drain(..).for_each(|item| Self::send(tx, item));
    }

    /// Receives `n` items that are there already.
    fn drain(rx: &mut Self::Rx, _buf: &mut Vec<Item>, n: usize) {
        for _ in 0..n {
            black_box(Self::recv(rx).now_or_never().flatten().expect("the item is there"));
        }
    }
}

/// This crate, an item at a time.
pub struct Outrace;

impl Peer for Outrace {
    const NAME: &'static str = "outrace";
    type Tx = outrace::futex_queue::Putter<Item>;
    type Rx = outrace::futex_queue::Getter<Item>;

    fn new() -> (Self::Tx, Self::Rx) {
        outrace::futex_queue::bounded(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.try_put_one(item).expect("there is room");
    }

    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<Item>> {
        rx.get_one()
    }
}

/// This crate, as the resolver uses it: one offer for all items, one get for all items.
pub struct OutraceBatch;

impl Peer for OutraceBatch {
    const NAME: &'static str = "outrace, one put";
    type Tx = (outrace::futex_queue::Putter<Item>, Vec<Waker>);
    type Rx = outrace::futex_queue::Getter<Item>;

    fn new() -> (Self::Tx, Self::Rx) {
        let (putter, getter) = outrace::futex_queue::bounded(CAPACITY);
        ((putter, Vec::new()), getter)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.0.try_put_one(item).expect("there is room");
    }

    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<Item>> {
        rx.get_one()
    }

    fn send_all((putter, wakes): &mut Self::Tx, items: &mut VecDeque<Item>) {
        // On a busy machine the consumer may not have parked yet, and hold the lock: like the
        // resolver thread, come back.
        while putter.offer(items, Waker::noop(), wakes) == OfferOutcome::Held {
            thread::yield_now();
        }
        assert!(items.is_empty(), "there is room");
        wakes.drain(..).for_each(Waker::wake);
    }

    fn drain(rx: &mut Self::Rx, buf: &mut Vec<Item>, n: usize) {
        assert_eq!(rx.try_get(buf, CAPACITY), Ok(n));
        black_box(&*buf);
        buf.clear();
    }
}

pub struct Tokio;

impl Peer for Tokio {
    const NAME: &'static str = "tokio mpsc";
    type Tx = tokio::sync::mpsc::Sender<Item>;
    type Rx = tokio::sync::mpsc::Receiver<Item>;

    fn new() -> (Self::Tx, Self::Rx) {
        tokio::sync::mpsc::channel(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.try_send(item).expect("there is room");
    }

    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<Item>> {
        rx.recv()
    }
}

pub struct TokioBatch;

impl Peer for TokioBatch {
    const NAME: &'static str = "tokio mpsc, reserve_many + recv_many";
    type Tx = tokio::sync::mpsc::Sender<Item>;
    type Rx = tokio::sync::mpsc::Receiver<Item>;

    fn new() -> (Self::Tx, Self::Rx) {
        tokio::sync::mpsc::channel(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.try_send(item).expect("there is room");
    }

    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<Item>> {
        rx.recv()
    }

    fn send_all(tx: &mut Self::Tx, items: &mut VecDeque<Item>) {
        let permits = tx.try_reserve_many(items.len()).expect("there is room");
        permits.zip(items.drain(..)).for_each(|(permit, item)| permit.send(item));
    }

    fn drain(rx: &mut Self::Rx, buf: &mut Vec<Item>, n: usize) {
        assert_eq!(rx.recv_many(buf, CAPACITY).now_or_never(), Some(n));
        black_box(&*buf);
        buf.clear();
    }
}

pub struct AsyncChannel;

impl Peer for AsyncChannel {
    const NAME: &'static str = "async-channel";
    type Tx = async_channel::Sender<Item>;
    type Rx = async_channel::Receiver<Item>;

    fn new() -> (Self::Tx, Self::Rx) {
        async_channel::bounded(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.try_send(item).expect("there is room");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<Item> {
        rx.recv().await.ok()
    }
}

pub struct Flume;

impl Peer for Flume {
    const NAME: &'static str = "flume";
    type Tx = flume::Sender<Item>;
    type Rx = flume::Receiver<Item>;

    fn new() -> (Self::Tx, Self::Rx) {
        flume::bounded(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.try_send(item).expect("there is room");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<Item> {
        rx.recv_async().await.ok()
    }
}

pub struct Kanal;

impl Peer for Kanal {
    const NAME: &'static str = "kanal";
    type Tx = kanal::AsyncSender<Item>;
    type Rx = kanal::AsyncReceiver<Item>;

    fn new() -> (Self::Tx, Self::Rx) {
        kanal::bounded_async(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        assert!(tx.try_send(item).expect("the other end is there"), "there is room");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<Item> {
        rx.recv().await.ok()
    }
}

pub struct CrossfireSpsc;

impl Peer for CrossfireSpsc {
    const NAME: &'static str = "crossfire spsc";
    type Tx = crossfire::Tx<crossfire::spsc::Array<Item>>;
    type Rx = crossfire::AsyncRx<crossfire::spsc::Array<Item>>;

    fn new() -> (Self::Tx, Self::Rx) {
        crossfire::spsc::bounded_blocking_async(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.try_send(item).expect("there is room");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<Item> {
        rx.recv().await.ok()
    }
}

pub struct CrossfireMpsc;

impl Peer for CrossfireMpsc {
    const NAME: &'static str = "crossfire mpsc";
    type Tx = crossfire::MTx<crossfire::mpsc::Array<Item>>;
    type Rx = crossfire::AsyncRx<crossfire::mpsc::Array<Item>>;

    fn new() -> (Self::Tx, Self::Rx) {
        crossfire::mpsc::bounded_blocking_async(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.try_send(item).expect("there is room");
    }

    async fn recv(rx: &mut Self::Rx) -> Option<Item> {
        rx.recv().await.ok()
    }
}

pub struct Thingbuf;

impl Peer for Thingbuf {
    const NAME: &'static str = "thingbuf";
    type Tx = thingbuf::mpsc::Sender<Item>;
    type Rx = thingbuf::mpsc::Receiver<Item>;

    fn new() -> (Self::Tx, Self::Rx) {
        thingbuf::mpsc::channel(CAPACITY)
    }

    fn send(tx: &mut Self::Tx, item: Item) {
        tx.try_send(item).expect("there is room");
    }

    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<Item>> {
        rx.recv()
    }
}

/// The lower bound: a ring for one producer and one consumer, with one waker.
pub struct Rtrb;

pub struct RtrbTx(rtrb::Producer<Item>, WakeOnDrop);

/// Dropped after the producer, so that the consumer is woken when the producer is gone.
pub struct WakeOnDrop(Arc<AtomicWaker>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl Peer for Rtrb {
    const NAME: &'static str = "rtrb + AtomicWaker";
    type Tx = RtrbTx;
    type Rx = (rtrb::Consumer<Item>, Arc<AtomicWaker>);

    fn new() -> (Self::Tx, Self::Rx) {
        let (producer, consumer) = rtrb::RingBuffer::new(CAPACITY);
        let waker = Arc::new(AtomicWaker::new());
        (RtrbTx(producer, WakeOnDrop(Arc::clone(&waker))), (consumer, waker))
    }

    fn send(RtrbTx(producer, waker): &mut Self::Tx, item: Item) {
        producer.push(item).expect("there is room");
        waker.0.wake();
    }

    fn recv((consumer, waker): &mut Self::Rx) -> impl Future<Output = Option<Item>> {
        poll_fn(|cx| {
            if let Ok(item) = consumer.pop() {
                return Poll::Ready(Some(item));
            }
            waker.register(cx.waker());
            match consumer.pop() {
                Ok(item) => Poll::Ready(Some(item)),
                Err(_) if consumer.is_abandoned() => Poll::Ready(None),
                Err(_) => Poll::Pending,
            }
        })
    }
}
