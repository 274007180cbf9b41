use crate::java_regex::{JavaRegex, Refusal};

fn replaced(pattern: &str, text: &str) -> String {
    let regex = JavaRegex::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e:?}"));
    let mut out = String::new();
    let mut from = 0;
    for (start, end) in regex.find_all(text).unwrap() {
        out.push_str(&text[from..start]);
        out.push('#');
        from = end;
    }
    out.push_str(&text[from..]);
    out
}

#[test]
fn patterns_mean_what_they_mean_in_java() {
    for (pattern, text, expected) in [
        (r"\w", "aéÀ1_ -", "#éÀ## -"),
        (r"(?U)\w", "aéÀ1_ -", "##### -"),
        (r"\b", "aé b", "#aé# #b#"),
        (r"\p{Alpha}", "aéÀ1", "#éÀ1"),
        (r"\p{L}", "aéÀ1", "###1"),
        (r"\p{IsGreek}", "aλ", "a#"),
        (r"\p{InGreek}", "aλ", "a#"),
        (r"(?i)[a-c]", "aBcD", "###D"),
        (r"(?i)À", "Àà", "#à"),
        (r"(?iu)À", "Àà", "##"),
        (r"(?i)\p{Lower}", "ABC", "###"),
        (r"[a-f&&[^cd]]", "abcdef", "##cd##"),
        (r"[a-c[e]]", "abcdef", "###d#f"),
        (r"[]-]", "a-b]c", "a#b#c"),
        (r"[\[\]^]", "a[b]c^", "a#b#c#"),
        (r"[a&&]", "ab", "#b"),
        (r"[--/]", "a-./b", "a###b"),
        (r"[a~~b]", "a~b", "###"),
        (r"\Q.b*\E", "a.b*c", "a#c"),
        (r"\Qab\E+", "abbb", "#"),
        (r"[\Q^-]\E]", "^-]a", "###a"),
        (r"a++a", "aaa", "aaa"),
        (r"(?:ab){2}+", "abab", "#"),
        (r"a{2}?", "aaa", "#a"),
        (r"(.)\1", "aab", "#b"),
        (r"(?<w>foo)\k<w>", "foofoo", "#"),
        (r"(a)\11", "aa1", "#"),
        (r"\2", "ab", "ab"),
        (r"(?<=a)b(?=c)", "abc", "a#c"),
        (r"(?<!a|bb)c", "acbbcc", "acbbc#"),
        (r"(?x) a b # c", "abc", "#c"),
        ("(?x)a b # c\nc", "abc", "#"),
        (r"x(?i)a|B", "xAb", "##"),
        (r"(?:(?i)a)b", "AbAB", "#AB"),
        (r"\x41\u0042\x{1F600}\0103\t\cA", "AB😀C\t\u{1}", "#"),
        (r"\uD83D\uDE00", "a😀", "a#"),
        (r"\h\v?", " \u{3000}\n", "##"),
        (r".", "a\nb\rc\u{2028}d\u{85}", "#\n#\r#\u{2028}#\u{85}"),
        (r"(?s).", "a\n", "##"),
        (r"(?d).", "a\r\n", "##\n"),
        (r"$", "a\n", "a#\n#"),
        (r"$", "a\r\n", "a#\r\n#"),
        (r"\Z", "a\n", "a#\n#"),
        (r"\z", "a\n", "a\n#"),
        (r"(?m)^", "a\nb\r\nc\n", "#a\n#b\r\n#c\n"),
        (r"(?m)$", "a\nb\r\nc", "a#\nb#\r\nc#"),
        (r"a*", "baac", "#b##c#"),
        (r"}", "a}", "a#"),
        (r"", "ab", "#a#b#"),
    ] {
        assert_eq!(replaced(pattern, text), expected, "{pattern}");
    }
}

#[test]
fn what_java_refuses_is_invalid() {
    for pattern in [
        "(",
        ")",
        "a)",
        "[a",
        "*a",
        "a**",
        "a{2",
        "a{2,1}",
        "{",
        "a{,2}",
        "\\",
        "\\q",
        "[b-a]",
        "[a-\\d]",
        "(?<1>a)",
        "(?z)",
        "(?",
        "\\k<n>",
        "(?<n>a)(?<n>b)",
        "\\x4",
        "\\u12",
        "\\p{",
        "[",
        "[^]",
        "a{99999999999}",
    ] {
        assert_eq!(JavaRegex::new(pattern).err(), Some(Refusal::Invalid), "{pattern}");
    }
}

#[test]
fn what_is_missing_is_named() {
    for (pattern, what) in
        [(r"\Gab", r"\G"), (r"\X", r"\X"), (r"\p{InKlingon}", r"\p{InKlingon}"), (r"\uD83D", "surrogate")]
    {
        match JavaRegex::new(pattern).err() {
            Some(Refusal::Unsupported(text)) => assert!(text.contains(what), "{text}"),
            other => panic!("{pattern}: {other:?}"),
        }
    }
}

#[test]
fn splitting_is_javas() {
    let split = |pattern: &str, text: &str, limit| {
        let regex = JavaRegex::new(pattern).unwrap();
        regex.split(text, limit).unwrap().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(split(",", "a,,b,,", 0), ["a", "", "b"]);
    assert_eq!(split("=", "a=b=c", 2), ["a", "b=c"]);
    assert_eq!(split("", "abc", 0), ["a", "b", "c"]);
    assert_eq!(split(",", "", 0), [""]);
    assert_eq!(split(",", ",", 0), Vec::<String>::new());
    assert_eq!(split("x", "abc", 0), ["abc"]);
}

#[test]
fn a_pattern_that_backtracks_for_ever_is_given_up() {
    let regex = JavaRegex::new(r"^(?:(?=a)a|(?=a)a)*$").unwrap();
    let text = "a".repeat(64) + "b";
    assert!(regex.is_match(&text).unwrap_err().contains("given up"));
}
