//! Who there is, and what each may do: plain data that the catalog keeps as one item.
//!
//! A right belongs to a table or view by its place; a side table (`t$late`, `t$changes`) goes by its table. Users and roles
//! have one space of names. There is always an admin once there is a user.

use std::collections::{BTreeMap, BTreeSet};

use arus_core::catalog::ObjectPath;
use arus_core::error::Code;
use arus_core::limits::{PASSWORD_BYTES, USER_NAME_BYTES, USERS};
use arus_core::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::random;
use crate::scram::Verifier;

/// May do everything.
pub const ADMIN: &str = "admin";
/// May read the system tables and `/metrics`.
pub const MONITOR: &str = "monitor";
const BUILT_IN: [&str; 2] = [ADMIN, MONITOR];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
}

impl Privilege {
    pub const ALL: [Privilege; 4] = [Privilege::Select, Privilege::Insert, Privilege::Update, Privilege::Delete];

    pub fn as_str(self) -> &'static str {
        match self {
            Privilege::Select => "SELECT",
            Privilege::Insert => "INSERT",
            Privilege::Update => "UPDATE",
            Privilege::Delete => "DELETE",
        }
    }
}

/// Rights on objects, by their place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants(Vec<Grant>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Grant {
    on: ObjectPath,
    privileges: BTreeSet<Privilege>,
}

impl Grants {
    fn at(&self, path: &ObjectPath) -> Result<usize, usize> {
        self.0.binary_search_by(|grant| grant.on.cmp(path))
    }

    fn has(&self, path: &ObjectPath, privilege: Privilege) -> bool {
        self.at(path).is_ok_and(|at| self.0[at].privileges.contains(&privilege))
    }

    fn give(&mut self, path: &ObjectPath, privileges: &[Privilege]) {
        let at = self.at(path).unwrap_or_else(|at| {
            self.0.insert(at, Grant { on: path.clone(), privileges: BTreeSet::new() });
            at
        });
        self.0[at].privileges.extend(privileges);
    }

    fn take(&mut self, path: &ObjectPath, privileges: &[Privilege]) {
        if let Ok(at) = self.at(path) {
            self.0[at].privileges.retain(|p| !privileges.contains(p));
            self.0.retain(|grant| !grant.privileges.is_empty());
        }
    }

    fn rename(&mut self, old: &ObjectPath, new: &ObjectPath) {
        for grant in self.0.iter_mut().filter(|grant| grant.on == *old) {
            grant.on = new.clone();
        }
        self.0.sort_by(|a, b| a.on.cmp(&b.on));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&ObjectPath, impl Iterator<Item = Privilege>)> {
        self.0.iter().map(|grant| (&grant.on, grant.privileges.iter().copied()))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// A [`Verifier`]'s text.
    verifier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until_ms: Option<i64>,
    pub roles: BTreeSet<String>,
    pub grants: Grants,
    /// Never used twice: whoever connected as another user of this name is not this one.
    pub id: u64,
    /// Another one with each password: what was told to the bearer of an older one is void.
    pub generation: u64,
}

impl User {
    pub fn is_valid(&self, now_ms: i64) -> bool {
        self.valid_until_ms.is_none_or(|until| now_ms < until)
    }
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    users: BTreeMap<String, User>,
    roles: BTreeMap<String, Grants>,
    /// Makes the salts of those who are not there.
    nobody: String,
    generation: u64,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("users", &self.users.len()).field("roles", &self.roles.len()).finish()
    }
}

impl Directory {
    /// Whether there is no user.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    pub fn users(&self) -> impl Iterator<Item = (&str, &User)> {
        self.users.iter().map(|(name, user)| (name.as_str(), user))
    }

    /// Those that were made, with their rights.
    pub fn roles(&self) -> impl Iterator<Item = (&str, &Grants)> {
        self.roles.iter().map(|(name, grants)| (name.as_str(), grants))
    }

    /// What checks the password of this name, whether there is such a user or not.
    pub fn verifier(&self, name: &str) -> Result<Verifier> {
        match self.users.get(name).map(|user| Verifier::parse(&user.verifier)) {
            Some(Some(verifier)) => Ok(verifier),
            Some(None) => Err(Error::bug(format!("the password of user '{name}' cannot be read"))),
            None => Verifier::of_nobody(self.nobody.as_bytes(), name),
        }
    }

    // ---- what somebody may --------------------------------------------------------------------------------

    pub fn has_role(&self, user: &str, role: &str) -> bool {
        self.users.get(user).is_some_and(|u| u.roles.contains(role))
    }

    /// Whether this user has the right on this very object, by itself or by a role.
    pub fn may(&self, user: &str, privilege: Privilege, path: &ObjectPath) -> bool {
        let Some(found) = self.users.get(user) else { return false };
        if found.roles.contains(ADMIN) {
            return true;
        }
        let owner = owner_of(path);
        let by_role = |role: &String| self.roles.get(role).is_some_and(|grants| grants.has(&owner, privilege));
        found.grants.has(&owner, privilege) || found.roles.iter().any(by_role)
    }

    // ---- changes ------------------------------------------------------------------------------------------

    /// The first user is an admin. `true`: it is that one.
    pub fn create_user(&mut self, name: &str, password: &str, valid_until_ms: Option<i64>) -> Result<bool> {
        self.check_new("user", name)?;
        let verifier = verifier_of(password)?;
        if self.nobody.is_empty() {
            self.nobody = STANDARD.encode(random::bytes::<32>()?);
        }
        let first = self.users.is_empty();
        let roles = if first { BTreeSet::from([ADMIN.to_string()]) } else { BTreeSet::new() };
        self.generation += 1;
        let (id, grants) = (self.generation, Grants::default());
        let user = User { verifier, valid_until_ms, roles, grants, id, generation: id };
        self.users.insert(name.into(), user);
        self.check_admin()?;
        Ok(first)
    }

    /// `valid_until_ms`: `Some(None)` is for ever.
    pub fn alter_user(
        &mut self,
        name: &str,
        password: Option<&str>,
        valid_until_ms: Option<Option<i64>>,
    ) -> Result<()> {
        let user = self.users.get_mut(name).ok_or_else(|| no_such("user", name))?;
        if let Some(password) = password {
            user.verifier = verifier_of(password)?;
            self.generation += 1;
            user.generation = self.generation;
        }
        if let Some(until) = valid_until_ms {
            user.valid_until_ms = until;
        }
        self.check_admin()
    }

    pub fn drop_user(&mut self, name: &str) -> Result<()> {
        self.users.remove(name).ok_or_else(|| no_such("user", name))?;
        self.check_admin()
    }

    pub fn create_role(&mut self, name: &str) -> Result<()> {
        self.check_new("role", name)?;
        self.roles.insert(name.into(), Grants::default());
        Ok(())
    }

    /// Whoever had it has it no more.
    pub fn drop_role(&mut self, name: &str) -> Result<()> {
        if BUILT_IN.contains(&name) {
            return Err(
                Error::user(format!("role '{name}' is built in and cannot be dropped")).with_code(Code::Conflict)
            );
        }
        self.roles.remove(name).ok_or_else(|| no_such("role", name))?;
        self.users.values_mut().for_each(|user| {
            user.roles.remove(name);
        });
        Ok(())
    }

    pub fn grant_role(&mut self, role: &str, user: &str) -> Result<()> {
        self.check_role(role)?;
        let found = self.users.get_mut(user).ok_or_else(|| no_such("user", user))?;
        found.roles.insert(role.into());
        Ok(())
    }

    pub fn revoke_role(&mut self, role: &str, user: &str) -> Result<()> {
        self.check_role(role)?;
        let found = self.users.get_mut(user).ok_or_else(|| no_such("user", user))?;
        found.roles.remove(role);
        self.check_admin()
    }

    pub fn grant(&mut self, privileges: &[Privilege], on: &ObjectPath, to: &str) -> Result<()> {
        let owner = owner_of(on);
        self.grants_of(to)?.give(&owner, privileges);
        Ok(())
    }

    pub fn revoke(&mut self, privileges: &[Privilege], on: &ObjectPath, from: &str) -> Result<()> {
        let owner = owner_of(on);
        self.grants_of(from)?.take(&owner, privileges);
        Ok(())
    }

    /// Rights on what is gone go: a later object of that name is another one. `true`: there were some.
    pub fn keep_grants(&mut self, is_there: impl Fn(&ObjectPath) -> bool) -> bool {
        let before = self.clone();
        self.each_grants(|grants| grants.0.retain(|grant| is_there(&grant.on)));
        *self != before
    }

    pub fn rename(&mut self, old: &ObjectPath, new: &ObjectPath) -> bool {
        let before = self.clone();
        self.each_grants(|grants| grants.rename(old, new));
        *self != before
    }

    fn each_grants(&mut self, mut change: impl FnMut(&mut Grants)) {
        self.users.values_mut().for_each(|user| change(&mut user.grants));
        self.roles.values_mut().for_each(change);
    }

    fn grants_of(&mut self, name: &str) -> Result<&mut Grants> {
        if BUILT_IN.contains(&name) {
            return Err(Error::user(format!("the rights of role '{name}' are built in"))
                .with_code(Code::Conflict)
                .with_hint("make a role with CREATE ROLE, or grant to a user"));
        }
        match (self.users.get_mut(name), self.roles.get_mut(name)) {
            (Some(user), _) => Ok(&mut user.grants),
            (None, Some(grants)) => Ok(grants),
            (None, None) => Err(no_such("user or role", name)),
        }
    }

    fn check_role(&self, role: &str) -> Result<()> {
        if BUILT_IN.contains(&role) || self.roles.contains_key(role) {
            return Ok(());
        }
        Err(no_such("role", role).with_hint("CREATE ROLE makes one; built in are admin and monitor"))
    }

    fn check_new(&self, what: &str, name: &str) -> Result<()> {
        let valid = |c: char| c.is_alphanumeric() || "_-.@".contains(c);
        if name.is_empty() || name.len() > USER_NAME_BYTES || !name.chars().all(valid) {
            return Err(Error::user(format!("'{name}' is no name for a {what}"))
                .with_code(Code::InvalidValue)
                .with_hint(format!("letters, digits, '_', '-', '.' and '@', {USER_NAME_BYTES} bytes at most")));
        }
        // The admin of the first start has the name of its role.
        let taken_role =
            self.roles.contains_key(name) || (what == "role" && BUILT_IN.contains(&name)) || name == MONITOR;
        if taken_role || self.users.contains_key(name) {
            let taken = if self.users.contains_key(name) { "user" } else { "role" };
            return Err(Error::user(format!("{taken} '{name}' exists already")).with_code(Code::DuplicateObject));
        }
        if self.users.len() + self.roles.len() >= USERS {
            return Err(Error::user(format!("there are {USERS} users and roles, which is the limit"))
                .with_code(Code::Conflict)
                .with_hint("drop those that nobody needs"));
        }
        Ok(())
    }

    /// Somebody has to be able to mend things. Whoever changes works on a copy: an error leaves what was.
    fn check_admin(&self) -> Result<()> {
        if self.users.values().any(|u| u.roles.contains(ADMIN) && u.valid_until_ms.is_none()) {
            return Ok(());
        }
        Err(Error::user("one admin has to stay whose password does not expire")
            .with_code(Code::Conflict)
            .with_hint("make another first: CREATE USER .., then GRANT admin TO it"))
    }
}

fn verifier_of(password: &str) -> Result<String> {
    if password.is_empty() || password.len() > PASSWORD_BYTES {
        return Err(Error::user(format!("a password has 1 to {PASSWORD_BYTES} bytes")).with_code(Code::InvalidValue));
    }
    // As in PostgreSQL: a verifier may come along, so that the password itself need not.
    let verifier = Verifier::parse(password).map_or_else(|| Verifier::of_password(password), Ok)?;
    Ok(verifier.to_text())
}

/// The object that a right belongs to.
fn owner_of(path: &ObjectPath) -> ObjectPath {
    let path = if path.temporary { path.as_temporary(false) } else { path.clone() };
    match path.name.rsplit_once('$') {
        Some((name, "late" | "quarantine" | "changes" | "inbox")) => path.sibling(name),
        _ => path,
    }
}

fn no_such(what: &str, name: &str) -> Error {
    Error::user(format!("{what} '{name}' does not exist"))
        .with_code(Code::InvalidValue)
        .with_hint("SHOW USERS lists them")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> ObjectPath {
        ObjectPath::in_default(name)
    }

    fn directory() -> Directory {
        let mut d = Directory::default();
        assert!(d.create_user("root", "pw", None).unwrap());
        assert!(!d.create_user("ann", "pw", Some(5_000)).unwrap());
        d
    }

    #[test]
    fn rights_come_by_users_and_roles() {
        let mut d = directory();
        d.create_role("analysts").unwrap();
        d.grant(&[Privilege::Select], &table("orders$late"), "analysts").unwrap();
        assert!(!d.may("ann", Privilege::Select, &table("orders")));
        d.grant_role("analysts", "ann").unwrap();
        for name in ["orders", "orders$late", "orders$quarantine", "orders$changes"] {
            assert!(d.may("ann", Privilege::Select, &table(name)), "{name}");
            assert!(!d.may("ann", Privilege::Insert, &table(name)), "{name}");
        }
        assert!(!d.may("ann", Privilege::Select, &ObjectPath::new("other", "orders")));
        assert!(
            d.may("root", Privilege::Delete, &table("anything"))
                && !d.may("nobody", Privilege::Select, &table("orders"))
        );
        let mut kept = d.clone();
        assert!(kept.rename(&table("orders"), &table("sales")));
        assert!(
            kept.may("ann", Privilege::Select, &table("sales"))
                && !kept.may("ann", Privilege::Select, &table("orders"))
        );
        assert!(d.keep_grants(|path| path.name != "orders") && !d.keep_grants(|_| true));
        assert!(!d.may("ann", Privilege::Select, &table("orders")));
        d.grant(&[Privilege::Insert], &table("orders"), "ann").unwrap();
        d.revoke(&Privilege::ALL, &table("orders"), "ann").unwrap();
        d.drop_role("analysts").unwrap();
        assert_eq!(d.user("ann").map(|u| (u.roles.len(), u.grants.iter().count())), Some((0, 0)));
    }

    #[test]
    fn an_admin_stays() {
        let d = directory();
        let refused =
            |change: &dyn Fn(&mut Directory) -> Result<()>| change(&mut d.clone()).unwrap_err().message().to_string();
        assert!(refused(&|d| d.drop_user("root")).contains("one admin"));
        assert!(refused(&|d| d.revoke_role(ADMIN, "root")).contains("one admin"));
        assert!(refused(&|d| d.alter_user("root", None, Some(Some(1)))).contains("one admin"));
        assert!(refused(&|d| d.grant(&[Privilege::Select], &table("t"), ADMIN)).contains("built in"));
        assert!(refused(&|d| d.grant_role("ghosts", "ann")).contains("does not exist"));
        assert!(refused(&|d| d.create_user("ann", "x", None).map(drop)).contains("exists already"));
        assert!(refused(&|d| d.create_role("a b")).contains("no name"));
        assert!(refused(&|d| d.create_user("eve", "", None).map(drop)).contains("1 to"));
        let mut second = d.clone();
        second.create_user("boss", "x", None).unwrap();
        second.grant_role(ADMIN, "boss").unwrap();
        second.drop_user("root").unwrap();
    }

    #[test]
    fn the_catalog_holds_no_password() {
        let mut d = Directory::default();
        d.create_user("root", "planted-secret", None).unwrap();
        let text = serde_json::to_string(&d).unwrap();
        assert!(!text.contains("planted-secret") && !format!("{d:?}").contains("SCRAM"));
        let read: Directory = serde_json::from_str(&text).unwrap();
        assert_eq!(read, d);
        assert!(read.verifier("root").unwrap().fits("planted-secret"));
        assert!(!read.verifier("nobody").unwrap().fits("planted-secret"));
        let before = read.user("root").map(|u| u.generation);
        let mut other = read.clone();
        let brought = read.verifier("root").unwrap().to_text();
        other.alter_user("root", Some(&brought), None).unwrap();
        assert!(other.verifier("root").unwrap().fits("planted-secret"));
        assert_ne!(before, other.user("root").map(|u| u.generation));
        assert!(other.user("root").is_some_and(|u| u.is_valid(i64::MAX)));
    }

    #[test]
    fn a_password_expires() {
        let d = directory();
        assert!(d.user("ann").is_some_and(|u| u.is_valid(4_999) && !u.is_valid(5_000)));
    }
}
