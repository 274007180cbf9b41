//! Every row in one file once, over kills at every step; partitions; what readers see.
#![expect(clippy::disallowed_methods, reason = "real files, since names are what is tested")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringViewArray};
use arus_core::catalog::{ConnectorCatalog, TableDef};
use arus_core::connector::{CommitToken, ConnectContext, PathPolicy, SinkWriter};
use arus_core::{ChangeBatch, LogicalType, Result, TypeKind};

use crate::Registry;
use crate::conformance::{FixedClock, Lines, context, table};

fn done<T>(call: impl Future<Output = Result<T>>) -> T {
    match std::pin::pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome.expect("no failure"),
        Poll::Pending => panic!("files wait for nothing"),
    }
}

fn rows(values: std::ops::Range<i32>, name: Option<&str>) -> ChangeBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(values.clone())),
        Arc::new(StringViewArray::from_iter(values.map(|_| name))),
    ];
    let schema = table(&columns_of(), &[]).physical_schema().to_arrow();
    ChangeBatch::inserts(RecordBatch::try_new(schema, columns).expect("columns of the table"))
}

fn columns_of() -> [(&'static str, LogicalType); 2] {
    [("a", TypeKind::Int.nullable()), ("s", TypeKind::STRING.nullable())]
}

fn declared(folder: &Path, options: &[(&str, &str)]) -> TableDef {
    let path = folder.display().to_string();
    let mut all = vec![("connector", "filesystem"), ("path", path.as_str()), ("format", "csv")];
    all.extend(options);
    table(&columns_of(), &all)
}

fn sink(table: &TableDef, cx: &ConnectContext) -> Box<dyn SinkWriter> {
    Registry.connector("filesystem").expect("registered").sink(table, cx).expect("a sink")
}

fn prepare(sink: &mut dyn SinkWriter) -> CommitToken {
    let token = done(sink.prepare(1)).expect("something was written");
    if let Some(sync) = sink.take_sync() {
        sync().expect("syncs");
    }
    token
}

/// The lines that readers see, sorted, each behind the folder of its file.
fn visible(folder: &Path) -> Vec<String> {
    let (mut lines, mut folders) = (vec![], vec![folder.to_path_buf()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).expect("a folder").map(|e| e.expect("an entry").path()) {
            let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
            if entry.is_dir() {
                folders.push(entry);
            } else if !name.starts_with('.') {
                let partition = entry.parent().and_then(|p| p.strip_prefix(folder).ok()).expect("below");
                let text = std::fs::read_to_string(&entry).expect("text");
                lines.extend(text.lines().map(|line| format!("{}:{line}", partition.display())));
            }
        }
    }
    lines.sort();
    lines
}

#[test]
fn rows_are_there_once_over_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("out");
    let clock = Arc::new(FixedClock(1_000.into()));
    let mut cx = context(&Arc::new(Lines::default()));
    cx.clock = clock.clone();
    let table = declared(&root, &[("sink.rolling-policy.rollover-interval", "10 s")]);
    let mut first = sink(&table, &cx);
    first.write(&rows(0..3, Some("x"))).expect("writes");
    let one = prepare(first.as_mut());
    done(first.commit(&one));
    assert_eq!(visible(&root), [""; 0], "a file that grows is hidden");
    // Rows after the checkpoint, then a kill: they come again and are there once.
    first.write(&rows(3..5, Some("lost"))).expect("writes");
    drop(first);
    let mut second = sink(&table, &cx);
    done(second.recover(std::slice::from_ref(&one)));
    second.write(&rows(3..5, Some("y"))).expect("writes");
    clock.0.store(20_000, SeqCst);
    let two = prepare(second.as_mut());
    assert_eq!(visible(&root), [""; 0], "nothing shows before the record");
    second.write(&rows(5..7, Some("lost"))).expect("writes");
    // Killed between record and rename: the restore shows what the record names, and drops what it does not.
    drop(second);
    let mut third = sink(&table, &cx);
    done(third.recover(std::slice::from_ref(&two)));
    let expected = [":0,x", ":1,x", ":2,x", ":3,y", ":4,y"];
    assert_eq!(visible(&root), expected);
    assert_eq!(std::fs::read_dir(&root).expect("a folder").count(), 1, "no leftovers");
    done(third.recover(std::slice::from_ref(&two)));
    assert_eq!(visible(&root), expected, "again is the same");
    third.write(&rows(5..6, Some("z"))).expect("writes");
    third.on_watermark(i64::MAX).expect("the end");
    let last = prepare(third.as_mut());
    done(third.commit(&last));
    done(third.commit(&last));
    assert_eq!(visible(&root).len(), 6, "the end of the input closes all files");
}

#[test]
fn files_roll_by_size_into_their_partitions() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("out");
    let cx = context(&Arc::new(Lines::default()));
    let mut table = declared(&root, &[("sink.rolling-policy.file-size", "10 b")]);
    table.partition_keys = vec![1];
    let mut sink = sink(&table, &cx);
    for (values, name) in [(0..8, Some("a/b")), (8..9, None), (9..10, Some("a/b")), (10..11, Some(""))] {
        sink.write(&rows(values, name)).expect("writes");
    }
    sink.on_watermark(i64::MAX).expect("the end");
    let token = prepare(sink.as_mut());
    done(sink.commit(&token));
    let mut expected: Vec<String> = (0..8).chain(9..10).map(|i| format!("s=a%2Fb:{i}")).collect();
    expected.extend(["s=__DEFAULT_PARTITION__:8".into(), "s=__DEFAULT_PARTITION__:10".into()]);
    expected.sort();
    assert_eq!(visible(&root), expected);
    assert_eq!(std::fs::read_dir(root.join("s=a%2Fb")).expect("a folder").count(), 2, "rolled at 10 bytes");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cx = context(&Arc::new(Lines::default()));
    let refused = |options: &[(&str, &str)], cx: &ConnectContext| {
        let table = declared(&folder.path().join("out"), options);
        let connector = Registry.connector("filesystem").expect("registered");
        connector.sink(&table, cx).err().expect("refused").message().to_string()
    };
    assert!(refused(&[("auto-compaction", "true")], &cx).contains("'auto-compaction'"));
    assert!(refused(&[("sink.partition-commit.policy.kind", "success-file")], &cx).contains("policy.kind"));
    assert!(refused(&[("sink.rolling-policy.file-size", "big")], &cx).contains("expected a size"));
    cx.paths = Arc::new(PathPolicy::Only(vec!["/nowhere".into()]));
    assert!(refused(&[], &cx).contains("outside of the allowed folders"));
}
