//! Panics of libraries that read foreign bytes: caught at one place each, and told as errors of these bytes.
//!
//! Only for code of others that asserts what a client or a file can break. A panic of ours is a bug and is never contained.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read`; `None` when it panics. What it was given must not be used afterwards.
pub fn contain<T>(read: impl FnOnce() -> T) -> Option<T> {
    let before = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    CONTAINED.set(before);
    result.ok()
}

/// From now on panics that are contained are not printed: a client could fill the log with them.
pub fn silence_contained() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !CONTAINED.get() {
            print(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_is_no_value() {
        assert_eq!(super::contain(|| 1), Some(1));
        assert_eq!(super::contain(|| [1, 2][std::hint::black_box(7)]), None);
        assert!(!super::CONTAINED.get());
    }
}
