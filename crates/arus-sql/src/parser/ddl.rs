//! CREATE and DROP.

use super::{ParseError, Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;
use crate::nearest::nearest;

/// What stands in the parentheses of CREATE TABLE.
#[derive(Default)]
struct TableElements {
    columns: Vec<ColumnDef>,
    watermarks: Vec<WatermarkDef>,
    keys: Vec<KeyDef>,
}

impl Parser<'_> {
    /// CREATE, and REPLACE TABLE.
    pub(super) fn create(&mut self) -> Result<StatementKind> {
        if self.eat_words(&["REPLACE", "TABLE"]) {
            return self.create_table(false, Some(Replace::Replace)).map(Box::new).map(StatementKind::CreateTable);
        }
        self.expect("CREATE")?;
        let or_replace = self.eat_words(&["OR", "REPLACE"]);
        let or_alter = !or_replace && self.eat_words(&["OR", "ALTER"]);
        let temporary = self.eat("TEMPORARY");
        if self.at("MATERIALIZED") {
            if temporary || or_replace {
                return Err(ParseError::new(self.span(), "a materialized table cannot be TEMPORARY or replaced")
                    .with_hint("write CREATE MATERIALIZED TABLE or CREATE OR ALTER MATERIALIZED TABLE"));
            }
            self.advance();
            self.expect("TABLE")?;
            let table = self.create_materialized_table(or_alter)?;
            return Ok(StatementKind::CreateMaterializedTable(Box::new(table)));
        }
        if or_alter {
            return self.unexpected(&["MATERIALIZED TABLE"]);
        }
        if self.eat("TABLE") {
            let replace = or_replace.then_some(Replace::CreateOrReplace);
            return self.create_table(temporary, replace).map(Box::new).map(StatementKind::CreateTable);
        }
        if self.eat("VIEW") {
            return self.create_view(temporary, or_replace).map(Box::new).map(StatementKind::CreateView);
        }
        if !temporary && !or_replace && self.eat("DATABASE") {
            return self.create_database().map(StatementKind::CreateDatabase);
        }
        if !temporary && !or_replace && self.eat("CATALOG") {
            return self.create_catalog().map(StatementKind::CreateCatalog);
        }
        if !temporary && self.eat("ALERT") {
            return self.create_alert(or_replace).map(Box::new).map(StatementKind::CreateAlert);
        }
        if !or_replace && self.eat("MODEL") {
            return self.create_model(temporary).map(Box::new).map(StatementKind::CreateModel);
        }
        let system = temporary && !or_replace && self.at_words(&["SYSTEM", "FUNCTION"]) && self.eat("SYSTEM");
        if !or_replace && self.eat("FUNCTION") {
            return self.create_function(temporary, system).map(Box::new).map(StatementKind::CreateFunction);
        }
        let mut error = self.unexpected_error(&["TABLE", "VIEW", "MATERIALIZED TABLE", "DATABASE"]);
        let kinds = ["TABLE", "VIEW", "MATERIALIZED", "DATABASE", "FUNCTION", "CATALOG", "MODEL", "TEMPORARY"];
        error.hint = nearest(self.word_at(0), kinds)
            .map(|word| format!("did you mean {word}?"))
            .or_else(|| self.at("STREAM").then(|| "a stream is a TABLE here".to_string()));
        Err(error)
    }

    pub(super) fn if_not_exists(&mut self) -> bool {
        self.eat_words(&["IF", "NOT", "EXISTS"])
    }

    pub(super) fn comment(&mut self) -> Result<Option<Text>> {
        if self.eat("COMMENT") {
            return self.text("a comment in quotes").map(Some);
        }
        Ok(None)
    }

    /// `WITH (..)`, if it is there.
    pub(super) fn with_options(&mut self) -> Result<Vec<TableOption>> {
        if !self.eat("WITH") {
            return Ok(Vec::new());
        }
        if self.kind() == TokenKind::LParen && self.kind_at(1) == TokenKind::RParen {
            self.pos += 2;
            return Ok(Vec::new());
        }
        self.option_list()
    }

    /// `('key' = 'value', ..)`
    pub(super) fn option_list(&mut self) -> Result<Vec<TableOption>> {
        self.paren_list(|p| {
            let key = p.text("an option's name in quotes")?;
            p.expect_kind(TokenKind::Eq, "`=`")?;
            let value = p.text("the option's value in quotes")?;
            Ok(TableOption { key, value })
        })
    }

    fn create_table(&mut self, temporary: bool, replace: Option<Replace>) -> Result<CreateTable> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name("a table name")?;
        let elements = self.table_elements()?;
        let comment = self.comment()?;
        let distribution = self.distribution()?;
        let partitioned_by = self.partitioned_by()?;
        let options = self.with_options()?;
        let like = if self.at("LIKE") { Some(self.table_like()?) } else { None };
        let query = if like.is_none() && self.eat("AS") { Some(Box::new(self.query()?)) } else { None };
        self.misplaced_clause()?;
        typed_columns(&elements.columns, query.is_some())?;
        if replace == Some(Replace::Replace) && query.is_none() {
            return self.unexpected(&["AS"]);
        }
        Ok(CreateTable {
            temporary,
            replace,
            if_not_exists,
            name,
            columns: elements.columns,
            watermarks: elements.watermarks,
            keys: elements.keys,
            comment,
            distribution,
            partitioned_by,
            options,
            like,
            query,
        })
    }

    /// The clauses behind the columns have one order.
    fn misplaced_clause(&self) -> Result<()> {
        if self.at_any(&["COMMENT", "DISTRIBUTED", "PARTITIONED", "WITH"]) {
            return Err(self
                .unexpected_error(&["the end of the statement"])
                .with_hint("the order is COMMENT, DISTRIBUTED, PARTITIONED BY, WITH, then LIKE or AS"));
        }
        Ok(())
    }

    fn create_materialized_table(&mut self, or_alter: bool) -> Result<CreateMaterializedTable> {
        if self.at_words(&["IF", "NOT", "EXISTS"]) {
            return Err(ParseError::new(self.span(), "CREATE MATERIALIZED TABLE does not take IF NOT EXISTS")
                .with_hint("CREATE OR ALTER MATERIALIZED TABLE keeps one that is there"));
        }
        let name = self.object_name("a table name")?;
        let elements = self.table_elements()?;
        let comment = self.comment()?;
        let distribution = self.distribution()?;
        let partitioned_by = self.partitioned_by()?;
        let options = self.with_options()?;
        let mut start_mode = None;
        if self.eat("START_MODE") {
            self.expect_kind(TokenKind::Eq, "`=`")?;
            start_mode = Some(self.start_mode()?);
        }
        let mut freshness = None;
        if self.eat("FRESHNESS") {
            self.expect_kind(TokenKind::Eq, "`=`")?;
            freshness = Some(self.expr()?);
        }
        let mut refresh_mode = None;
        if self.eat("REFRESH_MODE") {
            self.expect_kind(TokenKind::Eq, "`=`")?;
            if !self.at_any(&["CONTINUOUS", "FULL"]) {
                return self.unexpected(&["CONTINUOUS", "FULL"]);
            }
            refresh_mode = Some(self.keyword());
        }
        if self.at_any(&["FRESHNESS", "REFRESH_MODE", "START_MODE"]) {
            return Err(self
                .unexpected_error(&["AS"])
                .with_hint("the order is START_MODE, FRESHNESS, REFRESH_MODE, then AS"));
        }
        if !self.at("AS") {
            self.misplaced_clause()?;
        }
        self.expect("AS")?;
        let query = self.query()?;
        typed_columns(&elements.columns, true)?;
        Ok(CreateMaterializedTable {
            or_alter,
            name,
            columns: elements.columns,
            watermarks: elements.watermarks,
            keys: elements.keys,
            comment,
            distribution,
            partitioned_by,
            options,
            freshness,
            refresh_mode,
            start_mode,
            query,
        })
    }

    /// `FROM_NOW(INTERVAL '1' DAY)`
    fn start_mode(&mut self) -> Result<StartMode> {
        const MODES: [&str; 5] =
            ["FROM_BEGINNING", "FROM_NOW", "FROM_TIMESTAMP", "RESUME_OR_FROM_BEGINNING", "RESUME_OR_FROM_NOW"];
        if !self.at_any(&MODES) && !self.at("RESUME_OR_FROM_TIMESTAMP") {
            let mut error = self.unexpected_error(&MODES);
            error.hint = nearest(self.word_at(0), MODES).map(|word| format!("did you mean {word}?"));
            return Err(error);
        }
        let mode = self.keyword();
        let mut argument = None;
        if mode.value != "FROM_BEGINNING"
            && mode.value != "RESUME_OR_FROM_BEGINNING"
            && self.kind() == TokenKind::LParen
        {
            self.advance();
            argument = Some(self.expr()?);
            self.rparen()?;
        } else if mode.value.ends_with("FROM_TIMESTAMP") {
            return self.unexpected(&["`(`"]);
        }
        Ok(StartMode { mode, argument })
    }

    /// The next word in capitals, as a name.
    pub(super) fn keyword(&mut self) -> Ident {
        let value = self.word_at(0).to_ascii_uppercase();
        Ident { value, quoted: false, span: self.advance().span }
    }

    fn create_view(&mut self, temporary: bool, or_replace: bool) -> Result<CreateView> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name("a view name")?;
        let columns = if self.kind() == TokenKind::LParen { self.ident_list("a column name")? } else { Vec::new() };
        let comment = self.comment()?;
        self.expect("AS")?;
        let query = self.query()?;
        Ok(CreateView { temporary, or_replace, if_not_exists, name, columns, comment, query })
    }

    fn create_database(&mut self) -> Result<CreateDatabase> {
        Ok(CreateDatabase {
            if_not_exists: self.if_not_exists(),
            name: self.object_name("a database name")?,
            comment: self.comment()?,
            options: self.with_options()?,
        })
    }

    pub(super) fn drop_object(&mut self) -> Result<Drop> {
        self.expect("DROP")?;
        let temporary = self.eat("TEMPORARY");
        let system = temporary && self.at_words(&["SYSTEM", "FUNCTION"]) && self.eat("SYSTEM");
        let kinds = [
            (&["TABLE"][..], ObjectKind::Table, true),
            (&["VIEW"], ObjectKind::View, true),
            (&["MATERIALIZED", "TABLE"], ObjectKind::MaterializedTable, false),
            (&["DATABASE"], ObjectKind::Database, false),
            (&["CATALOG"], ObjectKind::Catalog, false),
            (&["FUNCTION"], ObjectKind::Function, true),
            (&["MODEL"], ObjectKind::Model, true),
        ];
        let found = kinds.into_iter().find(|(words, _, may)| (*may || !temporary) && self.at_words(words));
        let Some((words, object, _)) = found else {
            const DROPPED: [&str; 7] =
                ["TABLE", "VIEW", "MATERIALIZED TABLE", "DATABASE", "CATALOG", "FUNCTION", "MODEL"];
            let mut error = self.unexpected_error(&DROPPED);
            error.hint = nearest(self.word_at(0), DROPPED).map(|word| format!("did you mean {word}?"));
            return Err(error);
        };
        self.pos += words.len();
        let if_exists = self.eat_words(&["IF", "EXISTS"]);
        let name = self.object_name("a name")?;
        let mut cascade = false;
        if object == ObjectKind::Database {
            cascade = self.eat("CASCADE");
            if !cascade {
                self.eat("RESTRICT");
            }
        }
        Ok(Drop { object, temporary, system, if_exists, name, cascade })
    }

    // ---- columns, watermarks, keys

    fn table_elements(&mut self) -> Result<TableElements> {
        let mut elements = TableElements::default();
        if self.kind() == TokenKind::LParen {
            self.paren_list(|p| p.table_element(&mut elements))?;
        }
        Ok(elements)
    }

    fn table_element(&mut self, elements: &mut TableElements) -> Result<()> {
        if self.at("WATERMARK") {
            elements.watermarks.push(self.watermark_def()?);
        } else if self.at_any(&["CONSTRAINT", "PRIMARY", "UNIQUE"]) {
            elements.keys.push(self.key(None)?);
        } else {
            let (column, key) = self.column()?;
            elements.columns.push(column);
            elements.keys.extend(key);
        }
        Ok(())
    }

    /// `WATERMARK FOR column AS expr`
    pub(super) fn watermark_def(&mut self) -> Result<WatermarkDef> {
        let start = self.span();
        self.expect_words(&["WATERMARK", "FOR"])?;
        let column = self.object_name("a column name")?;
        self.expect("AS")?;
        let expr = self.expr()?;
        Ok(WatermarkDef { column, expr, span: self.since(start) })
    }

    /// `[CONSTRAINT n] PRIMARY KEY (..) NOT ENFORCED`; the key of one column has no list.
    pub(super) fn key(&mut self, column: Option<&Ident>) -> Result<KeyDef> {
        let start = self.span();
        let name = if self.eat("CONSTRAINT") { Some(self.ident("a constraint name")?) } else { None };
        let unique = self.eat("UNIQUE");
        if !unique {
            if !self.at("PRIMARY") {
                return self.unexpected(&["PRIMARY KEY", "UNIQUE"]);
            }
            self.advance();
            self.expect("KEY")?;
        }
        let columns = match column {
            Some(column) => vec![column.clone()],
            None => self.ident_list("a column name")?,
        };
        let enforced = if self.eat_words(&["NOT", "ENFORCED"]) {
            Some(false)
        } else if self.eat("ENFORCED") {
            Some(true)
        } else {
            None
        };
        Ok(KeyDef { name, unique, columns, enforced, span: self.since(start) })
    }

    pub(super) fn column(&mut self) -> Result<(ColumnDef, Option<KeyDef>)> {
        let name = self.ident("a column name")?;
        let start = name.span;
        let mut key = None;
        let kind = if self.eat("AS") {
            ColumnKind::Computed { expr: self.expr()? }
        } else if matches!(self.kind(), TokenKind::Comma | TokenKind::RParen) {
            ColumnKind::Name
        } else if self.at("METADATA") {
            return Err(self.unexpected_error(&["a type"]).with_hint("the type stands before METADATA"));
        } else {
            let data_type = self.data_type()?;
            if self.eat("METADATA") {
                let metadata_key = if self.eat("FROM") { Some(self.text("a metadata key in quotes")?) } else { None };
                ColumnKind::Metadata { data_type, key: metadata_key, is_virtual: self.eat("VIRTUAL") }
            } else {
                if self.at_any(&["CONSTRAINT", "PRIMARY", "UNIQUE"]) {
                    key = Some(self.key(Some(&name))?);
                }
                ColumnKind::Physical { data_type }
            }
        };
        let comment = self.comment()?;
        let column = ColumnDef { name, kind, comment, span: self.since(start) };
        Ok((column, key))
    }

    fn distribution(&mut self) -> Result<Option<Distribution>> {
        self.distribution_behind("DISTRIBUTED")
    }

    /// `DISTRIBUTED BY ..` of CREATE, `DISTRIBUTION BY ..` of ALTER.
    pub(super) fn distribution_behind(&mut self, word: &str) -> Result<Option<Distribution>> {
        let start = self.span();
        if !self.eat(word) {
            return Ok(None);
        }
        let (mut kind, mut columns) = (None, Vec::new());
        if self.eat("BY") {
            if self.eat("HASH") {
                kind = Some(DistributionKind::Hash);
            } else if self.eat("RANGE") {
                kind = Some(DistributionKind::Range);
            }
            columns = self.ident_list("a column name")?;
        } else if !self.at("INTO") {
            return self.unexpected(&["BY", "INTO"]);
        }
        let mut buckets = None;
        if self.eat("INTO") {
            buckets = Some(self.unsigned("a number of buckets")?.into());
            self.expect("BUCKETS")?;
        }
        Ok(Some(Distribution { kind, columns, buckets, span: self.since(start) }))
    }

    fn partitioned_by(&mut self) -> Result<Vec<Ident>> {
        if !self.eat("PARTITIONED") {
            return Ok(Vec::new());
        }
        self.expect("BY")?;
        self.ident_list("a column name")
    }

    fn table_like(&mut self) -> Result<TableLike> {
        let start = self.span();
        self.expect("LIKE")?;
        let name = self.object_name("a table name")?;
        let mut options = Vec::new();
        if self.eat_kind(TokenKind::LParen) {
            while self.kind() != TokenKind::RParen {
                options.push(self.like_option()?);
            }
            self.rparen()?;
        }
        Ok(TableLike { name, options, span: self.since(start) })
    }

    fn like_option(&mut self) -> Result<LikeOption> {
        let start = self.span();
        if !self.at_any(&["INCLUDING", "EXCLUDING", "OVERWRITING"]) {
            return self.unexpected(&["INCLUDING", "EXCLUDING", "OVERWRITING", "`)`"]);
        }
        let strategy = self.keyword().value;
        let features =
            ["ALL", "CONSTRAINTS", "DISTRIBUTION", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS"];
        if !self.at_any(&features) {
            return self.unexpected(&features);
        }
        Ok(LikeOption { strategy, feature: self.keyword().value, span: self.since(start) })
    }
}

/// Names without types reorder the columns of a query: then all of them are such, and there is a query.
fn typed_columns(columns: &[ColumnDef], query: bool) -> Result<()> {
    let untyped = |column: &&ColumnDef| matches!(column.kind, ColumnKind::Name);
    let Some(column) = columns.iter().find(untyped) else { return Ok(()) };
    if query && columns.iter().all(|c| untyped(&c)) {
        return Ok(());
    }
    let name = &column.name.value;
    Err(ParseError::new(column.span, format!("column {name} has no type"))
        .with_hint(format!("write a type behind it, such as {name} STRING")))
}
