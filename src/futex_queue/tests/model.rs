//! Random operations on the queue and on a plain description of it, side by side.
//!
//! The description keeps whole lists and searches them from the front; it has no tickets, lent
//! items, wakers or locks. After every operation the results must be equal, and exactly the
//! completed puts and gets must have been woken: no wake is lost, and none is spurious. proptest
//! prints the shortest sequence that tells the two apart, and replays its seed from
//! `proptest-regressions/`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use proptest::prelude::*;

use super::{Counter, poll};
use crate::futex_queue::{GetError, PutError, bounded};

/// Puts, and gets, that can be pending at a time.
const SLOTS: usize = 3;

#[derive(Clone, Debug)]
enum Operation {
    /// Starts a put in this slot, or polls the pending one.
    Put {
        slot: usize,
        items: usize,
        min: usize,
        cancelable: bool,
    },
    /// Starts a get in this slot, or polls the pending one.
    Get {
        slot: usize,
        max: usize,
        min: usize,
    },
    DropPut {
        slot: usize,
    },
    DropGet {
        slot: usize,
    },
    Finish,
    DropPutter,
    DropGetter,
    Close,
    Cancel,
}

fn operation() -> impl Strategy<Value = Operation> {
    let slot = 0..SLOTS;
    prop_oneof![
        10 => (slot.clone(), 0..6usize, 0..6usize, any::<bool>()).prop_map(
            |(slot, items, min, cancelable)| Operation::Put {
                slot, items, min: min.min(items), cancelable
            }
        ),
        10 => (slot.clone(), 0..6usize, 0..6usize)
            .prop_map(|(slot, max, min)| Operation::Get { slot, max, min: min.min(max) }),
        2 => slot.clone().prop_map(|slot| Operation::DropPut { slot }),
        2 => slot.prop_map(|slot| Operation::DropGet { slot }),
        1 => Just(Operation::Finish),
        1 => Just(Operation::DropPutter),
        1 => Just(Operation::DropGetter),
        1 => Just(Operation::Close),
        1 => Just(Operation::Cancel),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_its_description_says(
        capacity in 0..5usize,
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        run(capacity, &operations);
    }
}

type PutResult = (Result<usize, PutError>, VecDeque<u32>);
type GetResult = (Result<usize, GetError>, Vec<u32>);

/// A pending future, and how often it was woken since the last poll.
struct PendingCall<R> {
    future: Pin<Box<dyn Future<Output = R>>>,
    wakes: std::sync::Arc<Counter>,
}

impl<R> PendingCall<R> {
    fn new(future: impl Future<Output = R> + 'static) -> Self {
        Self { future: Box::pin(future), wakes: Counter::new() }
    }

    fn poll(&mut self) -> Poll<R> {
        // A new waker each time, as after a move of the task.
        self.wakes = Counter::new();
        poll(self.future.as_mut(), &self.wakes)
    }
}

/// The items of a put. Those that the put leaves come back when it ends.
struct Lent {
    items: VecDeque<u32>,
    back: Rc<RefCell<VecDeque<u32>>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.back.borrow_mut() = std::mem::take(&mut self.items);
    }
}

fn run(capacity: usize, operations: &[Operation]) {
    let (putter, getter) = bounded::<u32>(capacity);
    // Two handles of each end, apart from those of the pending operations.
    let mut putters = vec![putter.clone(), putter];
    let mut getters = vec![getter.clone(), getter];
    let mut puts: [Option<PendingCall<PutResult>>; SLOTS] = [const { None }; SLOTS];
    let mut gets: [Option<PendingCall<GetResult>>; SLOTS] = [const { None }; SLOTS];
    let back = Rc::new(RefCell::new(VecDeque::new()));
    let mut model = Model { capacity, putters: 2, getters: 2, ..Model::default() };
    let mut numbers = 0..;

    for operation in operations {
        match *operation {
            Operation::Put { slot, items, min, cancelable } => {
                let put = if let Some(put) = &mut puts[slot] {
                    put
                } else {
                    let Some(putter) = putters.first() else { continue };
                    let items: VecDeque<u32> = numbers.by_ref().take(items).collect();
                    model.put(slot, items.clone(), min, cancelable);
                    let mut putter = putter.clone();
                    let mut lent = Lent { items, back: Rc::clone(&back) };
                    puts[slot].insert(PendingCall::new(async move {
                        let result = if cancelable {
                            putter.put(&mut lent.items, min).await
                        } else {
                            putter.put_uncancelable(&mut lent.items, min).await
                        };
                        (result, lent.items.clone())
                    }))
                };
                let polled = put.poll();
                assert_eq!(polled, model.poll_put(slot), "{operation:?}");
                if polled.is_ready() {
                    puts[slot] = None;
                }
            }
            Operation::Get { slot, max, min } => {
                let get = if let Some(get) = &mut gets[slot] {
                    get
                } else {
                    let Some(getter) = getters.first() else { continue };
                    model.get(slot, min, max);
                    let mut getter = getter.clone();
                    gets[slot].insert(PendingCall::new(async move {
                        let mut buf = Vec::new();
                        (getter.get(&mut buf, max, min).await, buf)
                    }))
                };
                let polled = get.poll();
                assert_eq!(polled, model.poll_get(slot), "{operation:?}");
                if polled.is_ready() {
                    gets[slot] = None;
                }
            }
            Operation::DropPut { slot } => {
                if puts[slot].take().is_some() {
                    assert_eq!(*back.borrow(), model.drop_put(slot), "{operation:?}");
                }
            }
            Operation::DropGet { slot } => {
                if gets[slot].take().is_some() {
                    model.drop_get(slot);
                }
            }
            Operation::Finish => {
                let Some(putter) = putters.pop() else { continue };
                let last = numbers.next().expect("endless");
                let result = putter.finish(last).map_err(|unsent| (unsent.item, unsent.cause));
                assert_eq!(result, model.finish(last), "{operation:?}");
            }
            Operation::DropPutter => {
                if putters.pop().is_some() {
                    model.drop_putter();
                }
            }
            Operation::DropGetter => {
                if getters.pop().is_some() {
                    model.drop_getter();
                }
            }
            Operation::Close => match (putters.first(), getters.first()) {
                (Some(putter), _) => (putter.close(), model.close()).1,
                (None, Some(getter)) => (getter.close(), model.close()).1,
                (None, None) => continue,
            },
            Operation::Cancel => match (getters.first(), putters.first()) {
                (Some(getter), _) => (getter.cancel(), model.cancel()).1,
                (None, Some(putter)) => (putter.cancel(), model.cancel()).1,
                (None, None) => continue,
            },
        }
        for slot in 0..SLOTS {
            if let Some(put) = &puts[slot] {
                let woken = usize::from(model.put_is_complete(slot));
                assert_eq!(put.wakes.count(), woken, "wakes of put {slot} after {operation:?}");
            }
            if let Some(get) = &gets[slot] {
                let woken = usize::from(model.get_is_complete(slot));
                assert_eq!(get.wakes.count(), woken, "wakes of get {slot} after {operation:?}");
            }
        }
    }
}

/// The plain description.
#[derive(Default)]
struct Model {
    capacity: usize,
    putters: usize,
    getters: usize,
    closed: bool,
    canceled: bool,
    queue: VecDeque<u32>,
    /// In order of arrival.
    puts: Vec<ModelPut>,
    gets: Vec<ModelGet>,
}

struct ModelPut {
    slot: usize,
    items: VecDeque<u32>,
    min: usize,
    moved: usize,
    cancelable: bool,
    result: Option<Result<(), PutError>>,
}

struct ModelGet {
    slot: usize,
    need: usize,
    want: usize,
    granted: usize,
    completed: bool,
}

impl Model {
    fn put(&mut self, slot: usize, items: VecDeque<u32>, min: usize, cancelable: bool) {
        self.putters += 1;
        let result = if items.is_empty() {
            Some(Ok(()))
        } else if self.closed {
            Some(Err(PutError::Closed))
        } else if self.canceled && cancelable {
            Some(Err(PutError::Canceled))
        } else {
            None
        };
        let others_wait = self.puts.iter().any(|put| put.result.is_none());
        self.puts.push(ModelPut { slot, items, min, moved: 0, cancelable, result });
        if result.is_some() {
            return;
        }
        // Without a waiter before it a newcomer moves all items that there is room for; a getter
        // that is served makes room.
        let newcomer = self.puts.len() - 1;
        while !others_wait && self.move_items_of(newcomer, self.room()) > 0 {
            self.grant();
        }
        // Enough moved, or `min` is 0: the put does not wait.
        let put = self.puts.last_mut().expect("just pushed");
        if put.moved >= put.min {
            put.result = Some(Ok(()));
        }
    }

    fn poll_put(&mut self, slot: usize) -> Poll<PutResult> {
        let index = self.puts.iter().position(|put| put.slot == slot).expect("pending");
        if self.puts[index].result.is_none() {
            return Poll::Pending;
        }
        let put = self.puts.remove(index);
        self.drop_putter();
        let result = put.result.expect("just seen");
        Poll::Ready((result.map(|()| put.moved), put.items))
    }

    fn drop_put(&mut self, slot: usize) -> VecDeque<u32> {
        let index = self.puts.iter().position(|put| put.slot == slot).expect("pending");
        let put = self.puts.remove(index);
        self.drop_putter();
        put.items
    }

    fn put_is_complete(&self, slot: usize) -> bool {
        self.puts.iter().any(|put| put.slot == slot && put.result.is_some())
    }

    fn get(&mut self, slot: usize, need: usize, want: usize) {
        self.getters += 1;
        // A get that finds enough items, or the end, does not wait.
        let at_once = need == 0 || self.free() >= need || self.is_drained();
        self.gets.push(ModelGet { slot, need, want, granted: 0, completed: at_once });
        if !at_once {
            self.match_waiters();
        }
    }

    fn poll_get(&mut self, slot: usize) -> Poll<GetResult> {
        let index = self.gets.iter().position(|get| get.slot == slot).expect("pending");
        if !self.gets[index].completed {
            return Poll::Pending;
        }
        let get = self.gets.remove(index);
        let mut items: Vec<u32> = self.queue.drain(..get.granted).collect();
        // More, if they are granted to no other get: from the queue, then from the puts that wait.
        while items.len() < get.want {
            let n = self.free().min(get.want - items.len());
            items.extend(self.queue.drain(..n));
            if items.len() < get.want && self.move_items_of_head(get.want - items.len()) == 0 {
                break;
            }
        }
        self.match_waiters();
        let drained = self.is_drained();
        self.drop_getter();
        let result = match items.len() {
            0 if get.want > 0 && drained => Err(GetError::Closed),
            n => Ok(n),
        };
        Poll::Ready((result, items))
    }

    fn drop_get(&mut self, slot: usize) {
        self.gets.retain(|get| get.slot != slot);
        self.match_waiters();
        self.drop_getter();
    }

    fn get_is_complete(&self, slot: usize) -> bool {
        self.gets.iter().any(|get| get.slot == slot && get.completed)
    }

    fn finish(&mut self, last: u32) -> Result<(), (u32, PutError)> {
        let result = if self.closed {
            Err((last, PutError::Closed))
        } else {
            self.queue.push_back(last);
            Ok(())
        };
        self.drop_putter();
        result
    }

    fn drop_putter(&mut self) {
        self.putters -= 1;
        self.match_waiters();
    }

    fn drop_getter(&mut self) {
        self.getters -= 1;
        if self.getters == 0 {
            self.close();
            self.queue.clear();
        }
    }

    fn close(&mut self) {
        self.closed = true;
        for put in self.puts.iter_mut().filter(|put| put.result.is_none()) {
            put.result = Some(Err(PutError::Closed));
        }
        self.match_waiters();
    }

    fn cancel(&mut self) {
        self.canceled = true;
        for put in self.puts.iter_mut().filter(|put| put.result.is_none() && put.cancelable) {
            put.result = Some(Err(PutError::Canceled));
        }
        self.match_waiters();
    }

    /// Items in the queue that are granted to no get.
    fn free(&self) -> usize {
        self.queue.len() - self.gets.iter().map(|get| get.granted).sum::<usize>()
    }

    /// How many items may enter: up to the capacity, and the number that the first waiting get
    /// needs.
    fn room(&self) -> usize {
        let waits = self.gets.iter().find(|get| !get.completed);
        let owed = waits.map_or(0, |get| get.need - get.granted);
        (self.capacity + owed).saturating_sub(self.free())
    }

    fn is_drained(&self) -> bool {
        (self.closed || self.putters == 0) && self.queue.is_empty()
    }

    /// Moves up to `n` items of the first waiting put into the queue. Returns how many.
    fn move_items_of_head(&mut self, n: usize) -> usize {
        let Some(head) = self.puts.iter().position(|put| put.result.is_none()) else { return 0 };
        let n = self.move_items_of(head, n);
        let put = &mut self.puts[head];
        if n > 0 && put.moved >= put.min {
            put.result = Some(Ok(()));
        }
        n
    }

    fn move_items_of(&mut self, index: usize, n: usize) -> usize {
        let put = &mut self.puts[index];
        let n = n.min(put.items.len());
        self.queue.extend(put.items.drain(..n));
        put.moved += n;
        n
    }

    /// Grants items to waiting gets, in order of arrival.
    fn grant(&mut self) {
        while let Some(index) = self.gets.iter().position(|get| !get.completed) {
            let ended = self.closed || self.putters == 0;
            let free = self.free();
            let get = &mut self.gets[index];
            get.granted += free.min(get.want - get.granted);
            get.completed = get.granted >= get.need || ended && self.queue.len() == get.granted;
            if !get.completed {
                break;
            }
        }
    }

    /// Gives items to waiting gets and room to waiting puts, until one side has no more.
    fn match_waiters(&mut self) {
        loop {
            self.grant();
            if self.move_items_of_head(self.room()) == 0 {
                return;
            }
        }
    }
}
