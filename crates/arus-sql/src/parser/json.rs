//! The JSON functions of standard SQL with their clauses.

use super::{Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;

impl Parser<'_> {
    /// From the function's name on; `None` if it is an ordinary function.
    pub(super) fn json_call(&mut self, word: &str) -> Result<Option<JsonCall>> {
        let parse = match word {
            "JSON_VALUE" => Self::json_value,
            "JSON_QUERY" => Self::json_query,
            "JSON_EXISTS" => Self::json_exists,
            "JSON_OBJECT" => Self::json_object,
            "JSON_ARRAY" => Self::json_array,
            "JSON_OBJECTAGG" => Self::json_object_agg,
            "JSON_ARRAYAGG" => Self::json_array_agg,
            _ => return Ok(None),
        };
        self.advance();
        self.lparen()?;
        let call = parse(self)?;
        if word == "JSON_ARRAYAGG" {
            // Its parentheses end before WITHIN GROUP.
            return Ok(Some(call));
        }
        self.list_end()?;
        Ok(Some(call))
    }

    /// `input, path [PASSING ..]`
    fn json_path(&mut self) -> Result<JsonPath> {
        let input = self.json_input()?;
        self.expect_kind(TokenKind::Comma, "`,`")?;
        let path = self.expr()?;
        let mut passing = Vec::new();
        if self.eat("PASSING") {
            passing = self.comma_list(|p| {
                let value = p.json_input()?;
                p.expect("AS")?;
                Ok((value, p.ident("a name")?))
            })?;
        }
        Ok(JsonPath { input, path, passing })
    }

    /// `FORMAT JSON` behind a value changes nothing: a string is read as JSON anyway.
    fn json_input(&mut self) -> Result<Expr> {
        let expr = self.expr()?;
        self.eat_words(&["FORMAT", "JSON"]);
        Ok(expr)
    }

    fn json_returning(&mut self) -> Result<Option<DataType>> {
        if self.eat("RETURNING") {
            return self.data_type_name().map(Some);
        }
        Ok(None)
    }

    fn json_value(&mut self) -> Result<JsonCall> {
        let path = self.json_path()?;
        let returning = self.json_returning()?;
        let (on_empty, on_error) = self.json_behaviors(&["NULL", "ERROR", "DEFAULT"])?;
        Ok(JsonCall::Value { path, returning, on_empty, on_error })
    }

    fn json_query(&mut self) -> Result<JsonCall> {
        let path = self.json_path()?;
        let returning = self.json_returning()?;
        let wrapper = self.json_wrapper()?;
        let (on_empty, on_error) = self.json_behaviors(&["NULL", "ERROR", "EMPTY"])?;
        Ok(JsonCall::Query { path, returning, wrapper, on_empty, on_error })
    }

    fn json_wrapper(&mut self) -> Result<Option<JsonWrapper>> {
        let wrapper = if self.eat("WITHOUT") {
            JsonWrapper::Without
        } else if self.eat("WITH") {
            if self.eat("CONDITIONAL") {
                JsonWrapper::WithConditional
            } else {
                self.eat("UNCONDITIONAL");
                JsonWrapper::WithUnconditional
            }
        } else {
            return Ok(None);
        };
        self.eat("ARRAY");
        self.expect("WRAPPER")?;
        Ok(Some(wrapper))
    }

    fn json_exists(&mut self) -> Result<JsonCall> {
        let path = self.json_path()?;
        let (_, on_error) = self.json_behaviors(&["TRUE", "FALSE", "UNKNOWN", "ERROR"])?;
        Ok(JsonCall::Exists { path, on_error })
    }

    /// Any number of `NULL ON EMPTY`, `DEFAULT x ON ERROR`, ..; gives those ON EMPTY and ON ERROR.
    fn json_behaviors(&mut self, words: &[&str]) -> Result<(Option<JsonBehavior>, Option<JsonBehavior>)> {
        let (mut on_empty, mut on_error) = (None, None);
        while self.at_any(words) {
            let word = self.word_at(0).to_ascii_uppercase();
            self.advance();
            let behavior = match word.as_str() {
                "NULL" => JsonBehavior::Null,
                "ERROR" => JsonBehavior::Error,
                "TRUE" => JsonBehavior::True,
                "FALSE" => JsonBehavior::False,
                "UNKNOWN" => JsonBehavior::Unknown,
                "DEFAULT" => JsonBehavior::Default(self.expr()?),
                _ if self.eat("ARRAY") => JsonBehavior::EmptyArray,
                _ if self.eat("OBJECT") => JsonBehavior::EmptyObject,
                _ => return self.unexpected(&["ARRAY", "OBJECT"]),
            };
            self.expect("ON")?;
            if self.eat("EMPTY") {
                on_empty = Some(behavior);
            } else if self.eat("ERROR") {
                on_error = Some(behavior);
            } else {
                return self.unexpected(&["EMPTY", "ERROR"]);
            }
        }
        Ok((on_empty, on_error))
    }

    /// `[KEY] k VALUE v` or `k : v`
    fn json_entry(&mut self) -> Result<(Expr, Expr)> {
        let marked = self.at("KEY")
            && (matches!(
                self.kind_at(1),
                TokenKind::BackQuoted | TokenKind::String | TokenKind::LParen | TokenKind::Integer
            ) || (self.kind_at(1) == TokenKind::Word && !self.at_word(1, "VALUE")));
        if marked {
            self.advance();
        }
        let key = self.expr()?;
        if !self.eat("VALUE") && !self.eat_kind(TokenKind::Colon) {
            return self.unexpected(&["VALUE", "`:`"]);
        }
        Ok((key, self.json_input()?))
    }

    fn json_nulls(&mut self) -> Option<JsonNulls> {
        if self.eat_words(&["NULL", "ON", "NULL"]) {
            Some(JsonNulls::Null)
        } else if self.eat_words(&["ABSENT", "ON", "NULL"]) {
            Some(JsonNulls::Absent)
        } else {
            None
        }
    }

    fn json_object(&mut self) -> Result<JsonCall> {
        let mut entries = Vec::new();
        let mut nulls = self.json_nulls();
        if nulls.is_none() && self.kind() != TokenKind::RParen {
            entries = self.comma_list(Self::json_entry)?;
            nulls = self.json_nulls();
        }
        Ok(JsonCall::Object { entries, nulls })
    }

    fn json_array(&mut self) -> Result<JsonCall> {
        let mut items = Vec::new();
        let mut nulls = self.json_nulls();
        if nulls.is_none() && self.kind() != TokenKind::RParen {
            items = self.comma_list(Self::json_input)?;
            nulls = self.json_nulls();
        }
        Ok(JsonCall::Array { items, nulls })
    }

    fn json_object_agg(&mut self) -> Result<JsonCall> {
        let (key, value) = self.json_entry()?;
        let nulls = self.json_nulls();
        Ok(JsonCall::ObjectAgg { key, value, nulls })
    }

    fn json_array_agg(&mut self) -> Result<JsonCall> {
        let item = self.json_input()?;
        let mut order_by = if self.at("ORDER") { self.order_by()? } else { Vec::new() };
        let nulls = self.json_nulls();
        self.list_end()?;
        if self.at("WITHIN") {
            order_by = self.within_group()?;
        }
        Ok(JsonCall::ArrayAgg { item, order_by, nulls })
    }
}
