//! Catalogs, functions, models, modules, jars, plans, statistics, procedures; UPDATE, DELETE, TRUNCATE.

use super::{ParseError, Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;

impl Parser<'_> {
    // ---- CREATE

    pub(super) fn create_catalog(&mut self) -> Result<CreateCatalog> {
        Ok(CreateCatalog {
            if_not_exists: self.if_not_exists(),
            name: self.ident("a catalog name")?,
            comment: self.comment()?,
            options: self.with_options()?,
        })
    }

    pub(super) fn create_function(&mut self, temporary: bool, system: bool) -> Result<CreateFunction> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name("a function name")?;
        Ok(CreateFunction { temporary, system, if_not_exists, name, body: self.function_body()? })
    }

    pub(super) fn function_body(&mut self) -> Result<FunctionBody> {
        self.expect("AS")?;
        let class = self.text("a class name in quotes")?;
        let mut language = None;
        if self.eat("LANGUAGE") {
            if !self.at_any(&["JAVA", "SCALA", "PYTHON", "SQL"]) {
                return self.unexpected(&["JAVA", "SCALA", "PYTHON"]);
            }
            language = Some(self.keyword());
        }
        let mut using = Vec::new();
        if self.eat("USING") {
            using = self.comma_list(|p| {
                if !p.at_any(&["JAR", "ARTIFACT"]) {
                    return p.unexpected(&["JAR", "ARTIFACT"]);
                }
                Ok((p.keyword(), p.text("a path in quotes")?))
            })?;
        }
        Ok(FunctionBody { class, language, using, options: self.with_options()? })
    }

    pub(super) fn create_model(&mut self, temporary: bool) -> Result<CreateModel> {
        let if_not_exists = self.if_not_exists();
        let name = self.object_name("a model name")?;
        let columns = |p: &mut Self| p.paren_list(|p| p.column().map(|(column, _)| column));
        let input = if self.eat("INPUT") { columns(self)? } else { Vec::new() };
        let output = if self.eat("OUTPUT") { columns(self)? } else { Vec::new() };
        let comment = self.comment()?;
        let options = self.with_options()?;
        let query = if self.eat("AS") { Some(self.query()?) } else { None };
        Ok(CreateModel { temporary, if_not_exists, name, input, output, comment, options, query })
    }

    // ---- modules, jars, plans

    pub(super) fn module(&mut self) -> Result<ModuleStatement> {
        if self.eat_words(&["LOAD", "MODULE"]) {
            let name = self.ident("a module name")?;
            return Ok(ModuleStatement::Load { name, options: self.with_options()? });
        }
        self.expect_words(&["UNLOAD", "MODULE"])?;
        self.ident("a module name").map(ModuleStatement::Unload)
    }

    pub(super) fn jar(&mut self) -> Result<JarStatement> {
        let add = self.eat("ADD");
        if !add {
            self.expect("REMOVE")?;
        }
        self.expect("JAR")?;
        let path = match self.string_literal()? {
            Some(path) => path,
            None => self.bare_text(TokenKind::Semicolon, "a path in quotes")?,
        };
        Ok(JarStatement { add, path })
    }

    /// COMPILE PLAN, COMPILE AND EXECUTE PLAN.
    pub(super) fn compile_plan(&mut self) -> Result<PlanStatement> {
        self.expect("COMPILE")?;
        let execute = self.eat_words(&["AND", "EXECUTE"]);
        self.expect("PLAN")?;
        let file = self.text("a file in quotes")?;
        let if_not_exists = !execute && self.if_not_exists();
        self.expect("FOR")?;
        let compile = if self.at("INSERT") {
            CompileTarget::Insert(Box::new(self.insert()?))
        } else if self.eat_words(&["STATEMENT", "SET", "BEGIN"]) {
            CompileTarget::StatementSet(self.statement_set()?)
        } else {
            return self.unexpected(&["INSERT", "STATEMENT SET BEGIN"]);
        };
        Ok(PlanStatement { file, execute, compile: Some(compile), if_not_exists })
    }

    /// Behind EXECUTE PLAN.
    pub(super) fn execute_plan(&mut self) -> Result<PlanStatement> {
        let file = self.text("a file in quotes")?;
        Ok(PlanStatement { file, execute: true, compile: None, if_not_exists: false })
    }

    pub(super) fn analyze(&mut self) -> Result<Analyze> {
        self.expect_words(&["ANALYZE", "TABLE"])?;
        let table = self.object_name("a table name")?;
        let mut partition = Vec::new();
        if self.eat("PARTITION") {
            partition = self.paren_list(|p| {
                let key = p.ident("a partition column")?;
                let value = if p.eat_kind(TokenKind::Eq) { Some(p.expr()?) } else { None };
                Ok((key, value))
            })?;
        }
        self.expect_words(&["COMPUTE", "STATISTICS"])?;
        let mut columns = Vec::new();
        let mut all_columns = false;
        if self.eat("FOR") {
            if self.eat("ALL") {
                self.expect("COLUMNS")?;
                all_columns = true;
            } else {
                self.expect("COLUMNS")?;
                columns = self.comma_list(|p| p.ident("a column name"))?;
            }
        }
        Ok(Analyze { table, partition, columns, all_columns })
    }

    pub(super) fn call_procedure(&mut self) -> Result<CallStatement> {
        self.expect("CALL")?;
        let name = self.object_name("a procedure name")?;
        if self.kind() != TokenKind::LParen {
            return self.unexpected(&["`(`"]);
        }
        Ok(CallStatement { call: Box::new(self.call(name)?) })
    }

    // ---- UPDATE, DELETE, TRUNCATE

    pub(super) fn update(&mut self) -> Result<Update> {
        self.expect("UPDATE")?;
        let table = self.object_name("a table name")?;
        let hints = self.hints()?;
        self.expect("SET")?;
        let assignments = self.comma_list(|p| {
            let column = p.ident("a column name")?;
            p.expect_kind(TokenKind::Eq, "`=`")?;
            Ok((column, p.expr()?))
        })?;
        for (i, (column, _)) in assignments.iter().enumerate() {
            if assignments[..i].iter().any(|(c, _)| c.value == column.value) {
                return Err(ParseError::new(column.span, format!("column {} is set twice", column.value)));
            }
        }
        let condition = if self.eat("WHERE") { Some(self.expr()?) } else { None };
        Ok(Update { table, hints, assignments, condition })
    }

    pub(super) fn delete(&mut self) -> Result<Delete> {
        self.expect_words(&["DELETE", "FROM"])?;
        let table = self.object_name("a table name")?;
        let hints = self.hints()?;
        let condition = if self.eat("WHERE") { Some(self.expr()?) } else { None };
        Ok(Delete { table, hints, condition })
    }

    pub(super) fn truncate(&mut self) -> Result<ObjectName> {
        self.expect_words(&["TRUNCATE", "TABLE"])?;
        self.object_name("a table name")
    }
}
