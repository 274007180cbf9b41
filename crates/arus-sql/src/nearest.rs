//! The nearest name to a misspelt one, for hints: Damerau-Levenshtein distance, without regard to case.

/// Longer names are not compared: the table grows with the square, and nobody misspells them by two letters.
const NAME_CHARS_MAX: usize = 64;

/// How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b`, ignoring case.
pub fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row[j] = best;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// The candidate nearest to `name`, if it is near enough to be meant: at most a third of its letters differ (one letter of a name of three or two).
/// The first of several equally near ones wins.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let chars = name.chars().count();
    if !(2..=NAME_CHARS_MAX).contains(&chars) {
        return None;
    }
    let limit = (chars / 3).clamp(1, 4);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = candidate.chars().count();
        if other > NAME_CHARS_MAX || other.abs_diff(chars) > limit {
            continue;
        }
        let d = distance(name, candidate);
        if d <= limit && d < other && best.is_none_or(|(least, _)| d < least) {
            best = Some((d, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        assert_eq!(distance("SELCT", "select"), 1);
        assert_eq!(distance("FORM", "FROM"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(nearest("amuont", ["id", "amount", "count"]), Some("amount"));
        assert_eq!(nearest("Amount", ["amount"]), Some("amount"));
        assert_eq!(nearest("price", ["id", "amount"]), None);
        assert_eq!(nearest("ab", ["xy"]), None);
    }
}
