//! `arus dialect`: each item of the checklist with its state.
//!
//! The states come from the conformance scripts when the binary is built: an item is the same as in Flink because a script
//! that Flink has answered shows it, and `make test` runs that script.

use std::process::ExitCode;

use arus_core::Result;
use arus_core::settings::{Effect, KEYS};

use crate::output;

/// How an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Same,
    /// Flink has no such thing, or cannot be compared.
    Ours,
    RefusedAsFlink,
    /// Flink has it; the note says why this does not.
    Refused,
    NotYet,
    /// A key that is taken, and that there is nothing to do for here.
    Noted,
}

impl State {
    fn words(self) -> &'static str {
        match self {
            State::Same => "same as Flink",
            State::Ours => "ours only",
            State::RefusedAsFlink => "refused as Flink does",
            State::Refused => "refused",
            State::NotYet => "not yet",
            State::Noted => "noted",
        }
    }
}

include!(concat!(env!("OUT_DIR"), "/dialect.rs"));

pub(crate) fn dialect() -> Result<ExitCode> {
    let mut counts = [0; 6];
    for (id, what, state, note) in ITEMS {
        counts[*state as usize] += 1;
        line(id, what, *state, note);
    }
    let mut names: Vec<&str> = arus_engine::function_names();
    names.retain(|n| n.starts_with(|c: char| c.is_ascii_alphabetic()) && !n.contains(' '));
    names.sort_unstable();
    for name in names {
        let called = CALLED.binary_search(&name.to_uppercase().as_str()).is_ok();
        counts[if called { State::Same } else { State::Ours } as usize] += 1;
        let note = if called { "" } else { "here, but no script compares it" };
        line("F", name, if called { State::Same } else { State::Ours }, note);
    }
    for key in KEYS {
        let (state, note) = match key.effect {
            _ if key.name.starts_with("arus.") => (State::Ours, key.about),
            Effect::Effective => (State::Same, key.about),
            Effect::Noted => (State::Noted, key.about),
        };
        counts[state as usize] += 1;
        line("G", key.name, state, note);
    }
    let [same, ours, as_flink, refused, not_yet, noted] = counts;
    output::line(&format!(
        "\n{same} same as Flink, {ours} ours only, {as_flink} refused as Flink does, {refused} refused with a reason, {noted} noted, {not_yet} not yet"
    ));
    Ok(ExitCode::SUCCESS)
}

fn line(id: &str, what: &str, state: State, note: &str) {
    let note = if note.is_empty() { String::new() } else { format!("  ({note})") };
    output::line(&format!("{id:<4} {:<22} {what}{note}", state.words()));
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests of the source tree")]
mod tests {
    use super::*;

    /// Every id of the checklist is there, and what it names as proof exists.
    #[test]
    fn the_checklist_is_whole_and_its_proofs_exist() {
        let range = |letter: &str, last: u32| (1..=last).map(|n| format!("{letter}{n}")).collect::<Vec<_>>();
        let ids = [("L", 7), ("S", 19), ("Q", 22), ("A", 4), ("C", 6), ("K", 10), ("O", 7)];
        for id in ids.iter().flat_map(|(letter, last)| range(letter, *last)) {
            assert!(ITEMS.iter().any(|i| i.0 == id), "{id} is missing in dialect.txt");
        }
        let missing: Vec<_> = ITEMS.iter().filter(|i| i.2 == State::NotYet && !i.3.is_empty()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
        let tests: String = std::fs::read_dir(folder)
            .expect("the tests' folder")
            .flatten()
            .filter_map(|e| std::fs::read_to_string(e.path()).ok())
            .collect();
        for (id, _, _, proof) in ITEMS.iter().filter(|i| i.2 == State::Ours) {
            assert!(tests.contains(&format!("fn {proof}(")), "{id}: there is no test {proof}");
        }
    }
}
