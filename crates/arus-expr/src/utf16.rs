//! Strings as Java sees them: 16-bit units. Halves of a pair that are torn apart print as `?`.

/// The units of a text.
pub(crate) fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// Writes units as text, with `?` for half a pair.
pub(crate) fn push_units(out: &mut String, units: impl IntoIterator<Item = u16>) {
    out.extend(char::decode_utf16(units).map(|c| c.unwrap_or('?')));
}
