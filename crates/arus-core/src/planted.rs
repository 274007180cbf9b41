//! Bugs that are planted on purpose, each for the test that claims to catch it.
//!
//! Without the feature `planted` there are none, and what asks for one compiles to nothing. With it `ARUS_PLANTED` chooses one
//! for the process: `NAME`, or `NAME=ACTION` with an action of the crate `fail` (`3*off->return`: from the fourth time on).

/// Whether the bug of this name is to show here.
#[cfg(feature = "planted")]
pub fn planted(bug: &str) -> bool {
    static CHOSEN: std::sync::Once = std::sync::Once::new();
    CHOSEN.call_once(|| {
        let chosen = std::env::var("ARUS_PLANTED").unwrap_or_default();
        let (name, action) = chosen.split_once('=').unwrap_or((&chosen, "return"));
        if !name.is_empty() {
            fail::cfg(name, action).expect("ARUS_PLANTED has an action of a fail point");
        }
    });
    fail::fail_point!(bug, |_| true);
    false
}

/// Whether the bug of this name is to show here: there is none in this build.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub const fn planted(_bug: &str) -> bool {
    false
}
