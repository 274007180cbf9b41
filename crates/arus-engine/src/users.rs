//! CREATE USER, GRANT and the like.

use std::sync::Arc;

use arus_access::{Directory, Grants, Privilege};
use arus_core::catalog::ObjectPath;
use arus_core::error::Code;
use arus_core::platform::Done;
use arus_core::settings::{DATABASE, Settings};
use arus_core::text::{Civil, parse_timestamp, write_timestamp};
use arus_core::{Error, Result};
use arus_sql::access::{AccessStatement, Name, parse_access};

use crate::access::{Action, Who};
use crate::config::Mode;
use crate::shared::Shared;

pub(crate) const USER_COLUMNS: [&str; 3] = ["user name", "roles", "valid until"];
pub(crate) const ROLE_COLUMNS: [&str; 1] = ["role name"];
pub(crate) const GRANT_COLUMNS: [&str; 3] = ["grantee", "privileges", "object"];

/// What a statement about users gives.
pub(crate) enum Told {
    Done(Done),
    Rows(&'static [&'static str], Vec<Vec<Option<String>>>),
}

/// The columns of the answer, without doing anything.
pub(crate) fn columns(statement: &str) -> Result<Option<&'static [&'static str]>> {
    Ok(match parse_access(statement)? {
        AccessStatement::ShowUsers => Some(&USER_COLUMNS),
        AccessStatement::ShowRoles => Some(&ROLE_COLUMNS),
        AccessStatement::ShowGrants { .. } => Some(&GRANT_COLUMNS),
        _ => None,
    })
}

impl Shared {
    pub(crate) async fn access_statement(self: &Arc<Self>, who: &Who, settings: &Settings, text: &str) -> Result<Told> {
        if self.config.mode == Mode::Run {
            return Err(Error::not_supported("a user or a right in a script that `arus run` runs")
                .with_hint("users belong to a server: send the statement to one"));
        }
        let statement = parse_access(text)?;
        self.authorize(who, Action::Stay)?;
        // Whoever asks may know of itself.
        let own = match &statement {
            AccessStatement::ShowGrants { of } => of.is_none() || of.as_deref() == who.user(),
            _ => false,
        };
        if !own {
            self.authorize(who, Action::Administer(what(&statement)))?;
        }
        let done = |tag: &str| Told::Done(Done { tag: tag.into(), ..Done::default() });
        Ok(match statement {
            AccessStatement::CreateUser { name, if_not_exists, password, valid_until } => {
                let until = valid_until.as_deref().map(parse_until).transpose()?.flatten();
                let first = self
                    .change_access(|d| match if_not_exists && d.user(&name).is_some() {
                        true => Ok(false),
                        false => d.create_user(&name, &password.0, until),
                    })
                    .await?;
                let notice = first.then(|| {
                    format!("'{name}' is the first user and an admin; from now on every door asks for a password")
                });
                Told::Done(Done { tag: "CREATE USER".into(), job: None, notices: notice.into_iter().collect() })
            }
            AccessStatement::AlterUser { name, password, valid_until } => {
                let until = valid_until.as_deref().map(parse_until).transpose()?;
                let password = password.as_ref().map(|p| p.0.as_str());
                self.change_access(|d| d.alter_user(&name, password, until)).await?;
                done("ALTER USER")
            }
            AccessStatement::DropUser { name, if_exists } => {
                let missing = |d: &Directory| if_exists && d.user(&name).is_none();
                self.change_access(|d| if missing(d) { Ok(()) } else { d.drop_user(&name) }).await?;
                done("DROP USER")
            }
            AccessStatement::CreateRole { name, if_not_exists } => {
                let there = |d: &Directory| if_not_exists && d.roles().any(|(role, _)| role == name);
                self.change_access(|d| if there(d) { Ok(()) } else { d.create_role(&name) }).await?;
                done("CREATE ROLE")
            }
            AccessStatement::DropRole { name, if_exists } => {
                let missing = |d: &Directory| if_exists && d.roles().all(|(role, _)| role != name);
                self.change_access(|d| if missing(d) { Ok(()) } else { d.drop_role(&name) }).await?;
                done("DROP ROLE")
            }
            AccessStatement::GrantRoles { roles, to } => {
                self.change_access(|d| each(&roles, &to, |role, user| d.grant_role(role, user))).await?;
                done("GRANT ROLE")
            }
            AccessStatement::RevokeRoles { roles, from } => {
                self.change_access(|d| each(&roles, &from, |role, user| d.revoke_role(role, user))).await?;
                done("REVOKE ROLE")
            }
            AccessStatement::Grant { privileges, on, to } => {
                let (privileges, on) = (parse_privileges(&privileges)?, self.objects(settings, &on)?);
                self.change_access(|d| each(&on, &to, |path, to| d.grant(&privileges, path, to))).await?;
                done("GRANT")
            }
            AccessStatement::Revoke { privileges, on, from } => {
                let (privileges, on) = (parse_privileges(&privileges)?, self.objects(settings, &on)?);
                self.change_access(|d| each(&on, &from, |path, from| d.revoke(&privileges, path, from))).await?;
                done("REVOKE")
            }
            AccessStatement::ShowUsers => Told::Rows(&USER_COLUMNS, users(&self.access.directory())),
            AccessStatement::ShowRoles => Told::Rows(&ROLE_COLUMNS, roles(&self.access.directory())),
            AccessStatement::ShowGrants { of } => {
                let all = of.is_none() && self.is_free(who);
                let of = of.or_else(|| who.user().map(str::to_string));
                let directory = self.access.directory();
                Told::Rows(&GRANT_COLUMNS, if all { grants(&directory) } else { grants_of(&directory, of.as_deref()) })
            }
        })
    }

    /// Objects that are there, by the names of a statement.
    fn objects(&self, settings: &Settings, names: &[Name]) -> Result<Vec<ObjectPath>> {
        let find = |name: &Name| {
            let path = match name.as_slice() {
                [table] => ObjectPath::new(settings.get(DATABASE), table),
                [database, table] => ObjectPath::new(database, table),
                [catalog, database, table] => ObjectPath::in_catalog(catalog, database, table),
                _ => return Err(Error::user("a name has at most three parts").with_code(Code::InvalidValue)),
            };
            if self.is_there(&path) {
                return Ok(path);
            }
            Err(Error::user(format!("table '{path}' does not exist"))
                .with_code(Code::UndefinedTable)
                .with_hint("rights are given on tables and views that are there; SHOW TABLES lists them"))
        };
        names.iter().map(find).collect()
    }
}

fn what(statement: &AccessStatement) -> &'static str {
    match statement {
        AccessStatement::CreateUser { .. } => "CREATE USER",
        AccessStatement::AlterUser { .. } => "ALTER USER",
        AccessStatement::DropUser { .. } => "DROP USER",
        AccessStatement::CreateRole { .. } => "CREATE ROLE",
        AccessStatement::DropRole { .. } => "DROP ROLE",
        AccessStatement::GrantRoles { .. } | AccessStatement::Grant { .. } => "GRANT",
        AccessStatement::RevokeRoles { .. } | AccessStatement::Revoke { .. } => "REVOKE",
        AccessStatement::ShowUsers => "SHOW USERS",
        AccessStatement::ShowRoles => "SHOW ROLES",
        AccessStatement::ShowGrants { .. } => "SHOW GRANTS of others",
    }
}

fn each<T>(what: &[T], who: &[String], mut change: impl FnMut(&T, &str) -> Result<()>) -> Result<()> {
    what.iter().try_for_each(|what| who.iter().try_for_each(|who| change(what, who)))
}

fn parse_privileges(words: &[String]) -> Result<Vec<Privilege>> {
    if words.is_empty() {
        return Ok(Privilege::ALL.to_vec());
    }
    let one = |word: &String| {
        Privilege::ALL.into_iter().find(|p| p.as_str() == word).ok_or_else(|| {
            Error::user(format!("'{word}' is no right on a table"))
                .with_code(Code::InvalidValue)
                .with_hint("SELECT, INSERT, UPDATE, DELETE, or ALL")
        })
    };
    words.iter().map(one).collect()
}

/// In UTC; `None`: for ever.
fn parse_until(text: &str) -> Result<Option<i64>> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("infinity") {
        return Ok(None);
    }
    let civil = parse_timestamp(text.trim_end_matches('Z')).and_then(|at: Civil| at.to_units(3));
    civil.map(Some).ok_or_else(|| {
        Error::user("the time of VALID UNTIL cannot be read")
            .with_code(Code::InvalidValue)
            .with_hint("write '2030-01-31 12:00:00' (UTC), or 'infinity'")
    })
}

fn users(directory: &Directory) -> Vec<Vec<Option<String>>> {
    let row = |(name, user): (&str, &arus_access::User)| {
        let until = user.valid_until_ms.map(|ms| {
            let mut text = String::new();
            write_timestamp(&mut text, ms, 3);
            text
        });
        let roles: Vec<&str> = user.roles.iter().map(String::as_str).collect();
        vec![Some(name.to_string()), Some(roles.join(", ")), until]
    };
    directory.users().map(row).collect()
}

fn roles(directory: &Directory) -> Vec<Vec<Option<String>>> {
    let built_in = [arus_access::ADMIN, arus_access::MONITOR];
    built_in.into_iter().chain(directory.roles().map(|(name, _)| name)).map(|name| vec![Some(name.into())]).collect()
}

fn grants(directory: &Directory) -> Vec<Vec<Option<String>>> {
    let users = directory.users().flat_map(|(name, user)| {
        role_rows(name, user).into_iter().chain(grant_rows(name, &user.grants)).collect::<Vec<_>>()
    });
    users.chain(directory.roles().flat_map(|(name, grants)| grant_rows(name, grants))).collect()
}

/// Of a user with its roles, or of a role.
fn grants_of(directory: &Directory, of: Option<&str>) -> Vec<Vec<Option<String>>> {
    let Some(of) = of else { return vec![] };
    let of_role = |role: &str| directory.roles().find(|(name, _)| *name == role).map(|(name, g)| grant_rows(name, g));
    let Some(user) = directory.user(of) else { return of_role(of).unwrap_or_default() };
    let by_roles = user.roles.iter().filter_map(|role| of_role(role)).flatten();
    role_rows(of, user).into_iter().chain(grant_rows(of, &user.grants)).chain(by_roles).collect()
}

fn role_rows(name: &str, user: &arus_access::User) -> Vec<Vec<Option<String>>> {
    user.roles.iter().map(|role| vec![Some(name.to_string()), Some(role.clone()), None]).collect()
}

fn grant_rows(name: &str, grants: &Grants) -> Vec<Vec<Option<String>>> {
    let row = |(path, privileges): (&ObjectPath, Vec<&str>)| {
        vec![Some(name.to_string()), Some(privileges.join(", ")), Some(path.to_string())]
    };
    grants.iter().map(|(path, privileges)| (path, privileges.map(Privilege::as_str).collect())).map(row).collect()
}
