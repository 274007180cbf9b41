//! MD5 and the SHA family, in hexadecimal digits.

use arrow::datatypes::Int32Type;
use arus_core::function::Argument;
use arus_core::{Result, TypeKind};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::{Call, CompileCall, Compiled, Function, as_is, coerced, fallible, is_small_integer, safe};
use crate::value::{Bytes, Numbers, Strings, strings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["MD5"], "MD5(<CHARACTER>), MD5(<BINARY>)", |a| resolve(a, 32), |c| compile(c, write::<Md5>)),
    Function::new(&["SHA1"], "SHA1(<CHARACTER>), SHA1(<BINARY>)", |a| resolve(a, 40), |c| compile(c, write::<Sha1>)),
    Function::new(
        &["SHA224"],
        "SHA224(<CHARACTER>), SHA224(<BINARY>)",
        |a| resolve(a, 56),
        |call| compile(call, write::<Sha224>),
    ),
    Function::new(
        &["SHA256"],
        "SHA256(<CHARACTER>), SHA256(<BINARY>)",
        |a| resolve(a, 64),
        |call| compile(call, write::<Sha256>),
    ),
    Function::new(
        &["SHA384"],
        "SHA384(<CHARACTER>), SHA384(<BINARY>)",
        |a| resolve(a, 96),
        |call| compile(call, write::<Sha384>),
    ),
    Function::new(
        &["SHA512"],
        "SHA512(<CHARACTER>), SHA512(<BINARY>)",
        |a| resolve(a, 128),
        |call| compile(call, write::<Sha512>),
    ),
    Function::new(&["SHA2"], "SHA2(<CHARACTER>, <INTEGER>), SHA2(<BINARY>, <INTEGER>)", resolve_sha2, compile_sha2),
];

fn resolve(args: &[Argument], digits: u32) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_string() || arg.ty.kind.is_binary() => as_is(args, TypeKind::Char(digits)),
        _ => None,
    }
}

fn compile(call: &CompileCall<'_>, hash: fn(&[u8], &mut String)) -> Result<Compiled> {
    if call.kind(0)?.is_binary() {
        return safe(move |args, cx| {
            let values = Bytes::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| values.get(row).map(|bytes| hash(bytes, out))))
        });
    }
    safe(move |args, cx| {
        let values = Strings::of(&args[0])?;
        Ok(strings(cx.rows, |row, out| values.get(row).map(|text| hash(text.as_bytes(), out))))
    })
}

fn write<D: Digest>(bytes: &[u8], out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in D::digest(bytes) {
        out.push(HEX[usize::from(byte >> 4)] as char);
        out.push(HEX[usize::from(byte & 15)] as char);
    }
}

fn resolve_sha2(args: &[Argument]) -> Option<Call> {
    let [value, bits] = args else { return None };
    let right = (value.ty.kind.is_string() || value.ty.kind.is_binary()) && is_small_integer(&bits.ty.kind);
    if right { coerced(args, vec![value.ty.kind.clone(), TypeKind::Int], TypeKind::Varchar(128)) } else { None }
}

fn compile_sha2(call: &CompileCall<'_>) -> Result<Compiled> {
    let binary = call.kind(0)?.is_binary();
    fallible(move |args, cx| {
        let bytes = if binary { Some(Bytes::of(&args[0])?) } else { None };
        let texts = if binary { None } else { Some(Strings::of(&args[0])?) };
        let bits = Numbers::<Int32Type>::of(&args[1])?;
        Ok(strings(cx.rows, |row, out| {
            let value = match (&bytes, &texts) {
                (Some(bytes), _) => bytes.get(row)?,
                (None, Some(texts)) => texts.get(row)?.as_bytes(),
                (None, None) => return None,
            };
            match bits.get(row)? {
                224 => write::<Sha224>(value, out),
                256 => write::<Sha256>(value, out),
                384 => write::<Sha384>(value, out),
                512 => write::<Sha512>(value, out),
                other => {
                    cx.fail(row, format!("SHA2 of {other} bits, expected 224, 256, 384 or 512"));
                    return None;
                }
            }
            Some(())
        }))
    })
}
