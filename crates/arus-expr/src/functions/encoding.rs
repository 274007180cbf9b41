//! Bytes and numbers as text and back: HEX, UNHEX, BIN, base 64, character sets, URLs, ASCII, CHR, internet addresses.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryViewBuilder};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use arus_core::function::Argument;
use arus_core::{Result, TypeKind};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Call, CompileCall, Compiled, Function, as_is, coerced, fallible, safe};
use crate::utf16::push_units;
use crate::value::{Bytes, Cx, Numbers, Strings, Value, longs, numbers, strings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["HEX"], "HEX(<INTEGER>), HEX(<CHARACTER>)", resolve_hex, compile_hex),
    Function::new(
        &["UNHEX"],
        "UNHEX(<CHARACTER>)",
        |a| nullable(text_to(a, TypeKind::BYTES)?),
        |_| safe(|args, cx| bytes_of(args, cx, |text, _| Ok(unhex(text.as_bytes())))),
    ),
    Function::new(
        &["BIN"],
        "BIN(<INTEGER>)",
        |args| integer_to(args, TypeKind::STRING),
        |_| {
            safe(|args, cx| {
                let values = Numbers::<Int64Type>::of(&args[0])?;
                Ok(strings(cx.rows, |row, out| {
                    out.push_str(&format!("{:b}", values.get(row)?));
                    Some(())
                }))
            })
        },
    ),
    Function::new(&["TO_BASE64"], "TO_BASE64(<CHARACTER>), TO_BASE64(<BINARY>)", resolve_to_base64, compile_to_base64),
    Function::new(&["FROM_BASE64"], "FROM_BASE64(<CHARACTER>)", |a| text_to(a, TypeKind::STRING), compile_from_base64),
    Function::new(&["ENCODE"], "ENCODE(<CHARACTER>, <CHARACTER>)", resolve_encode, compile_encode),
    Function::new(&["DECODE"], "DECODE(<BINARY>, <CHARACTER>)", resolve_decode, compile_decode),
    Function::new(
        &["URL_ENCODE"],
        "URL_ENCODE(<CHARACTER>)",
        |a| nullable(text_to(a, TypeKind::STRING)?),
        |_| {
            safe(|args, cx| {
                let texts = Strings::of(&args[0])?;
                Ok(strings(cx.rows, |row, out| texts.get(row).map(|text| url_encode(text, out))))
            })
        },
    ),
    Function::new(
        &["URL_DECODE"],
        "URL_DECODE(<CHARACTER>)",
        |a| nullable(text_to(a, TypeKind::STRING)?),
        |_| {
            safe(|args, cx| {
                let texts = Strings::of(&args[0])?;
                Ok(strings(cx.rows, |row, out| {
                    out.push_str(&url_decode(texts.get(row)?)?);
                    Some(())
                }))
            })
        },
    ),
    Function::new(
        &["ASCII"],
        "ASCII(<CHARACTER>)",
        |args| text_to(args, TypeKind::Int),
        |_| {
            safe(|args, cx| {
                let texts = Strings::of(&args[0])?;
                // The first byte, as Java's signed one.
                let first = |row| Some(texts.get(row)?.bytes().next().map_or(0, |byte| i32::from(byte as i8)));
                Ok(numbers::<Int32Type>(cx.rows, &DataType::Int32, first))
            })
        },
    ),
    Function::new(
        &["CHR"],
        "CHR(<INTEGER>)",
        |a| nullable(integer_to(a, TypeKind::STRING)?),
        |_| {
            safe(|args, cx| {
                let values = Numbers::<Int64Type>::of(&args[0])?;
                Ok(strings(cx.rows, |row, out| {
                    let value = values.get(row)?;
                    if value >= 0 {
                        out.push(char::from(value as u8));
                    }
                    Some(())
                }))
            })
        },
    ),
    Function::new(
        &["INET_ATON"],
        "INET_ATON(<CHARACTER>)",
        |a| nullable(text_to(a, TypeKind::BigInt)?),
        |_| {
            safe(|args, cx| {
                let texts = Strings::of(&args[0])?;
                longs(cx.rows, &DataType::Int64, |row| inet_aton(texts.get(row)?))
            })
        },
    ),
    Function::new(
        &["INET_NTOA"],
        "INET_NTOA(<INTEGER>)",
        |a| nullable(integer_to(a, TypeKind::STRING)?),
        |_| {
            safe(|args, cx| {
                let values = Numbers::<Int64Type>::of(&args[0])?;
                Ok(strings(cx.rows, |row, out| {
                    let address = u32::try_from(values.get(row)?).ok()?;
                    out.push_str(&std::net::Ipv4Addr::from(address).to_string());
                    Some(())
                }))
            })
        },
    ),
];

fn nullable(call: Call) -> Option<Call> {
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

fn text_to(args: &[Argument], result: TypeKind) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_string() => as_is(args, result),
        _ => None,
    }
}

fn integer_to(args: &[Argument], result: TypeKind) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_integer() => coerced(args, vec![TypeKind::BigInt], result),
        _ => None,
    }
}

/// Bytes a row from text; `f` gives the reason when the row fails.
fn bytes_of(
    args: &[Value],
    cx: &mut Cx<'_>,
    f: impl Fn(&str, usize) -> Result<Option<Vec<u8>>, String>,
) -> Result<ArrayRef> {
    let texts = Strings::of(&args[0])?;
    let mut builder = BinaryViewBuilder::with_capacity(cx.rows);
    for row in 0..cx.rows {
        let bytes = match texts.get(row).map(|text| f(text, row)) {
            None => None,
            Some(Ok(bytes)) => bytes,
            Some(Err(reason)) => {
                cx.fail(row, reason);
                None
            }
        };
        builder.append_option(bytes);
    }
    Ok(Arc::new(builder.finish()))
}

// ---- HEX, UNHEX ----------------------------------------------------------------------------------------

fn resolve_hex(args: &[Argument]) -> Option<Call> {
    text_to(args, TypeKind::STRING).or_else(|| integer_to(args, TypeKind::STRING))
}

fn compile_hex(call: &CompileCall<'_>) -> Result<Compiled> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if call.kind(0)?.is_string() {
        return safe(|args, cx| {
            let texts = Strings::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| {
                for byte in texts.get(row)?.bytes() {
                    out.push(HEX[usize::from(byte >> 4)] as char);
                    out.push(HEX[usize::from(byte & 15)] as char);
                }
                Some(())
            }))
        });
    }
    safe(|args, cx| {
        let values = Numbers::<Int64Type>::of(&args[0])?;
        Ok(strings(cx.rows, |row, out| {
            out.push_str(&format!("{:X}", values.get(row)?));
            Some(())
        }))
    })
}

/// Of an odd number of digits the first one only has to be one: its byte is 0, as in Flink.
fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (first, pairs) = digits.split_at(digits.len() % 2);
    let mut bytes = Vec::with_capacity(digits.len().div_ceil(2));
    for byte in first {
        digit(*byte)?;
        bytes.push(0);
    }
    for pair in pairs.chunks_exact(2) {
        bytes.push((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
    }
    Some(bytes)
}

// ---- base 64 -------------------------------------------------------------------------------------------

/// As Java's decoder: padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

fn resolve_to_base64(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_string() || arg.ty.kind.is_binary() => as_is(args, TypeKind::STRING),
        _ => None,
    }
}

fn compile_to_base64(call: &CompileCall<'_>) -> Result<Compiled> {
    if call.kind(0)?.is_binary() {
        return safe(|args, cx| {
            let values = Bytes::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| {
                BASE64.encode_string(values.get(row)?, out);
                Some(())
            }))
        });
    }
    safe(|args, cx| {
        let texts = Strings::of(&args[0])?;
        Ok(strings(cx.rows, |row, out| {
            BASE64.encode_string(texts.get(row)?, out);
            Some(())
        }))
    })
}

fn compile_from_base64(_: &CompileCall<'_>) -> Result<Compiled> {
    fallible(|args, cx| {
        let texts = Strings::of(&args[0])?;
        Ok(strings(cx.rows, |row, out| match BASE64.decode(texts.get(row)?) {
            Ok(bytes) => {
                out.push_str(&String::from_utf8_lossy(&bytes));
                Some(())
            }
            Err(error) => {
                cx.fail(row, format!("no base 64 text: {error}"));
                None
            }
        }))
    })
}

// ---- character sets ------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy)]
enum Charset {
    Utf8,
    Ascii,
    Latin1,
    /// With a mark of the byte order in front when written.
    Utf16,
    Utf16Be,
    Utf16Le,
}

impl Charset {
    fn parse(name: &str) -> Result<Charset, String> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Charset::Utf8,
            "US-ASCII" | "ASCII" => Charset::Ascii,
            "ISO-8859-1" | "ISO8859_1" | "LATIN1" => Charset::Latin1,
            "UTF-16" | "UTF16" => Charset::Utf16,
            "UTF-16BE" => Charset::Utf16Be,
            "UTF-16LE" => Charset::Utf16Le,
            _ => {
                return Err(format!(
                    "unsupported character set '{name}', expected UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16BE or UTF-16LE"
                ));
            }
        })
    }

    fn encode(self, text: &str) -> Vec<u8> {
        let single = |limit: u32| text.chars().map(|c| if (c as u32) < limit { c as u8 } else { b'?' }).collect();
        match self {
            Charset::Utf8 => text.as_bytes().to_vec(),
            Charset::Ascii => single(0x80),
            Charset::Latin1 => single(0x100),
            // Java writes the mark only in front of a character.
            Charset::Utf16 if text.is_empty() => vec![],
            Charset::Utf16 => [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
            Charset::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Charset::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }

    fn decode(self, bytes: &[u8], out: &mut String) {
        let units = |bytes: &[u8], from: fn([u8; 2]) -> u16| -> Vec<u16> {
            bytes.chunks(2).map(|pair| if let [a, b] = pair { from([*a, *b]) } else { 0xFFFD }).collect()
        };
        match (self, bytes) {
            (Charset::Utf8, _) => out.push_str(&String::from_utf8_lossy(bytes)),
            (Charset::Ascii, _) => out.extend(bytes.iter().map(|b| if b.is_ascii() { *b as char } else { '\u{fffd}' })),
            (Charset::Latin1, _) => out.extend(bytes.iter().map(|b| *b as char)),
            (Charset::Utf16, [0xFF, 0xFE, rest @ ..]) => push_units(out, units(rest, u16::from_le_bytes)),
            (Charset::Utf16, [0xFE, 0xFF, rest @ ..]) => push_units(out, units(rest, u16::from_be_bytes)),
            (Charset::Utf16Le, _) => push_units(out, units(bytes, u16::from_le_bytes)),
            _ => push_units(out, units(bytes, u16::from_be_bytes)),
        }
    }
}

fn resolve_encode(args: &[Argument]) -> Option<Call> {
    match args {
        [text, charset] if text.ty.kind.is_string() && charset.ty.kind.is_string() => as_is(args, TypeKind::BYTES),
        _ => None,
    }
}

fn compile_encode(_: &CompileCall<'_>) -> Result<Compiled> {
    fallible(|args, cx| {
        let charsets = Strings::of(&args[1])?;
        bytes_of(args, cx, |text, row| match charsets.get(row) {
            Some(charset) => Ok(Some(Charset::parse(charset)?.encode(text))),
            None => Ok(None),
        })
    })
}

fn resolve_decode(args: &[Argument]) -> Option<Call> {
    match args {
        [bytes, charset] if bytes.ty.kind.is_binary() && charset.ty.kind.is_string() => as_is(args, TypeKind::STRING),
        _ => None,
    }
}

fn compile_decode(_: &CompileCall<'_>) -> Result<Compiled> {
    fallible(|args, cx| {
        let (values, charsets) = (Bytes::of(&args[0])?, Strings::of(&args[1])?);
        Ok(strings(cx.rows, |row, out| {
            let (bytes, charset) = (values.get(row)?, charsets.get(row)?);
            match Charset::parse(charset) {
                Ok(charset) => {
                    charset.decode(bytes, out);
                    Some(())
                }
                Err(reason) => {
                    cx.fail(row, reason);
                    None
                }
            }
        }))
    })
}

// ---- URLs and addresses --------------------------------------------------------------------------------

fn url_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(byte as char),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn url_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? << 4 | digit()?) as u8
            }
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// One to four numbers; the last one fills what is left of the four bytes.
fn inet_aton(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| match part.bytes().all(|b| b.is_ascii_digit()) {
        true => part.parse::<i64>().ok(),
        false => None,
    };
    let parts: Vec<i64> = parts.iter().map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) || *last >= 1 << (8 * (4 - first.len())) {
        return None;
    }
    Some(first.iter().enumerate().fold(*last, |address, (i, part)| address | part << (8 * (3 - i))))
}
