//! MD5.

use arus_core::function::Argument;
use arus_core::{Result, TypeKind};
use md5::{Digest, Md5};

use super::{Call, CompileCall, Compiled, Function, as_is, safe};
use crate::value::{Bytes, Strings, strings};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new(&["MD5"], "MD5(<CHARACTER>), MD5(<BINARY>)", resolve, compile)];

fn resolve(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_string() || arg.ty.kind.is_binary() => as_is(args, TypeKind::Char(32)),
        _ => None,
    }
}

fn compile(call: &CompileCall<'_>) -> Result<Compiled> {
    if call.kind(0)?.is_binary() {
        return safe(|args, cx| {
            let values = Bytes::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| values.get(row).map(|bytes| write_md5(bytes, out))))
        });
    }
    safe(|args, cx| {
        let values = Strings::of(&args[0])?;
        Ok(strings(cx.rows, |row, out| values.get(row).map(|text| write_md5(text.as_bytes(), out))))
    })
}

fn write_md5(bytes: &[u8], out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in Md5::digest(bytes) {
        out.push(HEX[usize::from(byte >> 4)] as char);
        out.push(HEX[usize::from(byte & 15)] as char);
    }
}
