//! Statements about users, roles and rights: ours only, in PostgreSQL's form. They stand apart from the parser of Flink's dialect,
//! which has none of them.
//!
//! A password is in the text: no message quotes a string, and [`Password`] does not show itself.

use std::fmt;

use arus_core::Result;
use arus_core::secret::HIDDEN;

use crate::ast::Span;
use crate::lexer::{Lexer, Token, TokenKind, literal, tokenize};
use crate::parser::ParseError;

#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The parts of a name: `t`, `database.t`.
pub type Name = Vec<String>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessStatement {
    CreateUser {
        name: String,
        if_not_exists: bool,
        password: Password,
        valid_until: Option<String>,
    },
    AlterUser {
        name: String,
        password: Option<Password>,
        valid_until: Option<String>,
    },
    DropUser {
        name: String,
        if_exists: bool,
    },
    CreateRole {
        name: String,
        if_not_exists: bool,
    },
    DropRole {
        name: String,
        if_exists: bool,
    },
    GrantRoles {
        roles: Vec<String>,
        to: Vec<String>,
    },
    RevokeRoles {
        roles: Vec<String>,
        from: Vec<String>,
    },
    /// Privileges in capitals; none of them: ALL.
    Grant {
        privileges: Vec<String>,
        on: Vec<Name>,
        to: Vec<String>,
    },
    Revoke {
        privileges: Vec<String>,
        on: Vec<Name>,
        from: Vec<String>,
    },
    ShowUsers,
    ShowRoles,
    /// `None`: those of whoever asks, or of all for an admin.
    ShowGrants {
        of: Option<String>,
    },
}

/// Whether the text is such a statement, by its first words; what is behind them may still be wrong.
pub fn is_access_statement(text: &str) -> bool {
    let mut lexer = Lexer::new(text);
    let mut word = || match lexer.next_token() {
        Ok(token) if token.kind == TokenKind::Word => token.span.of(text).to_ascii_uppercase(),
        _ => String::new(),
    };
    match word().as_str() {
        "GRANT" | "REVOKE" => true,
        "CREATE" | "ALTER" | "DROP" => matches!(word().as_str(), "USER" | "ROLE"),
        "SHOW" => matches!(word().as_str(), "USERS" | "ROLES" | "GRANTS"),
        _ => false,
    }
}

/// The statement; an error with its place in `text`.
pub fn parse_access(text: &str) -> Result<AccessStatement> {
    parse(text).map_err(|e| e.into_error(text))
}

fn parse(text: &str) -> Result<AccessStatement, ParseError> {
    let mut p = Parser { text, tokens: tokenize(text)?, at: 0 };
    let verb = p.word("a statement about users or rights")?;
    let statement = match verb.as_str() {
        "GRANT" => p.rights(true)?,
        "REVOKE" => p.rights(false)?,
        "SHOW" => match p.word("USERS, ROLES or GRANTS")?.as_str() {
            "USERS" => AccessStatement::ShowUsers,
            "ROLES" => AccessStatement::ShowRoles,
            _ => {
                let of = if p.eat("FOR") || p.eat("TO") { Some(p.name()?) } else { None };
                AccessStatement::ShowGrants { of }
            }
        },
        _ => {
            let user = p.word("USER or ROLE")? == "USER";
            match (verb.as_str(), user) {
                ("CREATE", true) => p.create_user()?,
                ("CREATE", false) => {
                    let if_not_exists = p.eat_all(&["IF", "NOT", "EXISTS"])?;
                    AccessStatement::CreateRole { name: p.name()?, if_not_exists }
                }
                ("DROP", _) => {
                    let if_exists = p.eat_all(&["IF", "EXISTS"])?;
                    let name = p.name()?;
                    match user {
                        true => AccessStatement::DropUser { name, if_exists },
                        false => AccessStatement::DropRole { name, if_exists },
                    }
                }
                (_, true) => p.alter_user()?,
                (_, false) => return Err(p.wrong("a role has nothing to alter: GRANT and REVOKE change its rights")),
            }
        }
    };
    while p.eat_kind(TokenKind::Semicolon) {}
    match p.kind() {
        TokenKind::End => Ok(statement),
        _ => Err(p.expected("the end of the statement")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
}

impl Parser<'_> {
    fn token(&self) -> Token {
        // The last one is the end, which is never passed.
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn kind(&self) -> TokenKind {
        self.token().kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    fn upper(&self) -> String {
        match self.kind() {
            TokenKind::Word => self.span().of(self.text).to_ascii_uppercase(),
            _ => String::new(),
        }
    }

    fn wrong(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.span(), message)
    }

    /// Says what is there instead, but never a string: it may be a password.
    fn expected(&self, what: &str) -> ParseError {
        let found = match self.kind() {
            TokenKind::End => "the end".to_string(),
            TokenKind::Word | TokenKind::BackQuoted => self.span().of(self.text).to_string(),
            TokenKind::String | TokenKind::UnicodeString | TokenKind::EscapedString | TokenKind::BinaryString => {
                "a string".to_string()
            }
            _ => "something else".to_string(),
        };
        self.wrong(format!("expected {what}, found {found}"))
    }

    fn eat_kind(&mut self, kind: TokenKind) -> bool {
        let found = self.kind() == kind;
        self.at += usize::from(found);
        found
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.upper() == word;
        self.at += usize::from(found);
        found
    }

    /// All of the words, or none of them.
    fn eat_all(&mut self, words: &[&'static str]) -> Result<bool, ParseError> {
        if !words.first().is_some_and(|first| self.eat(first)) {
            return Ok(false);
        }
        for word in &words[1..] {
            self.must(word)?;
        }
        Ok(true)
    }

    fn must(&mut self, word: &str) -> Result<(), ParseError> {
        if self.eat(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    fn word(&mut self, what: &str) -> Result<String, ParseError> {
        match self.upper() {
            empty if empty.is_empty() => Err(self.expected(what)),
            word => {
                self.at += 1;
                Ok(word)
            }
        }
    }

    /// As it is written, or back-quoted.
    fn name(&mut self) -> Result<String, ParseError> {
        let text = self.span().of(self.text);
        let name = match self.kind() {
            TokenKind::Word => text.to_string(),
            TokenKind::BackQuoted => literal::back_quoted(text),
            _ => return Err(self.expected("a name")),
        };
        self.at += 1;
        Ok(name)
    }

    fn names(&mut self) -> Result<Vec<String>, ParseError> {
        let mut names = vec![self.name()?];
        while self.eat_kind(TokenKind::Comma) {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn string(&mut self, what: &str) -> Result<String, ParseError> {
        if self.kind() != TokenKind::String {
            return Err(self.expected(what));
        }
        let text = literal::string(self.span().of(self.text));
        self.at += 1;
        Ok(text)
    }

    fn create_user(&mut self) -> Result<AccessStatement, ParseError> {
        let if_not_exists = self.eat_all(&["IF", "NOT", "EXISTS"])?;
        let name = self.name()?;
        let (password, valid_until) = self.user_options()?;
        let Some(password) = password else {
            return Err(self.expected("WITH PASSWORD '..'"));
        };
        Ok(AccessStatement::CreateUser { name, if_not_exists, password, valid_until })
    }

    fn alter_user(&mut self) -> Result<AccessStatement, ParseError> {
        let name = self.name()?;
        let (password, valid_until) = self.user_options()?;
        if password.is_none() && valid_until.is_none() {
            return Err(self.expected("WITH PASSWORD '..' or VALID UNTIL '..'"));
        }
        Ok(AccessStatement::AlterUser { name, password, valid_until })
    }

    fn user_options(&mut self) -> Result<(Option<Password>, Option<String>), ParseError> {
        self.eat("WITH");
        let (mut password, mut valid_until) = (None, None);
        loop {
            if password.is_none() && self.eat("PASSWORD") {
                password = Some(Password(self.string("the password as a string")?));
            } else if valid_until.is_none() && self.eat_all(&["VALID", "UNTIL"])? {
                valid_until = Some(self.string("a time such as '2030-01-31 12:00:00', or 'infinity'")?);
            } else {
                return Ok((password, valid_until));
            }
        }
    }

    fn rights(&mut self, grant: bool) -> Result<AccessStatement, ParseError> {
        let first = self.names()?;
        if self.eat("PRIVILEGES") && !first[0].eq_ignore_ascii_case("ALL") {
            return Err(self.wrong("expected ALL PRIVILEGES"));
        }
        if !self.eat("ON") {
            let who = self.whom(grant)?;
            return Ok(match grant {
                true => AccessStatement::GrantRoles { roles: first, to: who },
                false => AccessStatement::RevokeRoles { roles: first, from: who },
            });
        }
        let mut privileges: Vec<String> = first.iter().map(|p| p.to_ascii_uppercase()).collect();
        if privileges == ["ALL"] {
            privileges.clear();
        }
        self.eat("TABLE");
        let mut on = vec![self.object()?];
        while self.eat_kind(TokenKind::Comma) {
            on.push(self.object()?);
        }
        let who = self.whom(grant)?;
        Ok(match grant {
            true => AccessStatement::Grant { privileges, on, to: who },
            false => AccessStatement::Revoke { privileges, on, from: who },
        })
    }

    fn object(&mut self) -> Result<Name, ParseError> {
        let mut parts = vec![self.name()?];
        while self.eat_kind(TokenKind::Dot) {
            parts.push(self.name()?);
        }
        Ok(parts)
    }

    fn whom(&mut self, grant: bool) -> Result<Vec<String>, ParseError> {
        self.must(if grant { "TO" } else { "FROM" })?;
        self.names()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        assert!(is_access_statement(text), "{text}");
        match parse_access(text) {
            Ok(statement) => format!("{statement:?}"),
            Err(e) => format!("error: {}", e.message()),
        }
    }

    #[test]
    fn statements_are_read() {
        let made = shown("CREATE USER IF NOT EXISTS ann WITH PASSWORD 'it''s secret' VALID UNTIL '2030-01-01';");
        assert_eq!(
            made,
            "CreateUser { name: \"ann\", if_not_exists: true, password: ******, valid_until: Some(\"2030-01-01\") }"
        );
        let AccessStatement::CreateUser { password, .. } =
            parse_access("create user ann password 'it''s secret'").unwrap()
        else {
            panic!("no user")
        };
        assert_eq!(password.0, "it's secret");
        for (text, expected) in [
            (
                "ALTER USER `a b` VALID UNTIL 'infinity'",
                "AlterUser { name: \"a b\", password: None, valid_until: Some(\"infinity\") }",
            ),
            ("DROP USER IF EXISTS ann", "DropUser { name: \"ann\", if_exists: true }"),
            ("CREATE ROLE r", "CreateRole { name: \"r\", if_not_exists: false }"),
            ("DROP ROLE r;", "DropRole { name: \"r\", if_exists: false }"),
            ("GRANT admin, r TO ann, bob", "GrantRoles { roles: [\"admin\", \"r\"], to: [\"ann\", \"bob\"] }"),
            ("-- a comment\nREVOKE r FROM ann", "RevokeRoles { roles: [\"r\"], from: [\"ann\"] }"),
            (
                "GRANT select, INSERT ON TABLE t, db.`u` TO r",
                "Grant { privileges: [\"SELECT\", \"INSERT\"], on: [[\"t\"], [\"db\", \"u\"]], to: [\"r\"] }",
            ),
            ("REVOKE ALL PRIVILEGES ON t FROM r", "Revoke { privileges: [], on: [[\"t\"]], from: [\"r\"] }"),
            ("SHOW USERS", "ShowUsers"),
            ("SHOW GRANTS FOR ann", "ShowGrants { of: Some(\"ann\") }"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        for other in ["CREATE TABLE user (id INT)", "SHOW TABLES", "DROP VIEW role", "SELECT 1", "", "ALTER TABLE t"] {
            assert!(!is_access_statement(other), "{other}");
        }
    }

    #[test]
    fn errors_quote_no_string() {
        for text in [
            "CREATE USER ann 'planted'",
            "CREATE USER 'planted'",
            "CREATE USER ann WITH PASSWORD 'planted' 'planted'",
            "CREATE USER ann WITH PASSWORD X'planted'",
            "ALTER USER ann 'planted'",
            "GRANT 'planted' TO ann",
            "GRANT SELECT ON 'planted' TO ann",
            "CREATE USER ann WITH PASWORD 'planted'",
        ] {
            let told = shown(text);
            assert!(told.starts_with("error: expected") && !told.contains("planted"), "{text}: {told}");
        }
        assert_eq!(shown("CREATE USER ann"), "error: expected WITH PASSWORD '..', found the end");
        assert_eq!(shown("GRANT SELECT ON t ann"), "error: expected TO, found ann");
    }
}
