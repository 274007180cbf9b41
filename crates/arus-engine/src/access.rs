//! Who may do what: the one place that says yes or no, and the way in.
//!
//! Everything that a door can reach is behind a [`Who`]: platform, session, snapshot and log have one, and each asks
//! [`Shared::authorize`] before it gives or takes a row. What is refused is logged with user, door and address.

use std::sync::{Arc, Mutex, RwLock};

use arus_access::{ADMIN, Attempt, Directory, MONITOR, Privilege, Recent, Throttle, Tokens};
use arus_core::access::Caller;
use arus_core::catalog::{ObjectPath, SYSTEM_DATABASE};
use arus_core::clock::SharedClock;
use arus_core::error::Code;
use arus_core::{Error, ErrorKind, Result};
use arus_storage::manifest::{CatalogItem, Change};
use serde_json::json;

use crate::domain::Control;
use crate::shared::Shared;

/// The kind of the one item that holds all users and roles.
pub(crate) const ACCESS: &str = "access";

/// For whom something is done.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// For the server itself: scripts of its own command line.
    Engine,
    Client {
        caller: Caller,
        /// `None`: nobody was asked.
        login: Option<Login>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Arc<str>,
    pub(crate) id: u64,
}

impl Who {
    pub(crate) fn user(&self) -> Option<&str> {
        match self {
            Who::Client { login: Some(login), .. } => Some(&login.user),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Action<'a> {
    /// To go on at all.
    Stay,
    On(Privilege, &'a ObjectPath),
    /// To know that it is there.
    Know(&'a ObjectPath),
    /// What admins do; the statement or what it is.
    Administer(&'a str),
    /// What shows how the server does.
    Watch(&'a str),
}

/// Users, and what is remembered of their logins.
pub(crate) struct Access {
    directory: RwLock<Arc<Directory>>,
    item: Mutex<Option<u64>>,
    /// Passwords are asked for even without a user: others than this machine may connect.
    always: bool,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) tokens: Tokens,
    pub(crate) recent: Recent,
}

impl Access {
    pub(crate) fn new(always: bool, clock: SharedClock) -> Result<Self> {
        Ok(Access {
            directory: RwLock::default(),
            item: Mutex::default(),
            always,
            throttle: Throttle::new(clock),
            tokens: Tokens::default(),
            recent: Recent::new()?,
        })
    }

    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.directory.read().expect("no holder of this lock panics").clone()
    }

    fn replace(&self, directory: Directory) {
        *self.directory.write().expect("no holder of this lock panics") = Arc::new(directory);
    }

    pub(crate) fn asks(&self) -> bool {
        self.always || !self.directory().is_empty()
    }

    /// From the catalog.
    pub(crate) fn recover(&self, item: &CatalogItem) -> Result<()> {
        let directory = serde_json::from_value(item.extra["directory"].clone())
            .map_err(|e| Error::bug(format!("users and roles cannot be read: {e}")))?;
        *self.item.lock().expect("no holder of this lock panics") = Some(item.id);
        self.replace(directory);
        Ok(())
    }
}

impl Shared {
    /// The policy: every right of every user at every door is decided here.
    fn decide(&self, who: &Who, action: Action<'_>) -> Result<()> {
        let Who::Client { login, .. } = who else { return Ok(()) };
        let directory = self.access.directory();
        let Some(login) = login else {
            return if self.access.asks() { Err(unknown()) } else { Ok(()) };
        };
        let user: &str = &login.user;
        let valid = |u: &&arus_access::User| u.id == login.id && u.is_valid(self.config.clock.now_ms());
        if directory.user(user).filter(valid).is_none() {
            return Err(Error::user(format!("the login of user '{user}' has ended"))
                .with_code(Code::NotAuthenticated)
                .with_hint("connect again"));
        }
        let admin = directory.has_role(user, ADMIN);
        let monitor = admin || directory.has_role(user, MONITOR);
        let may = |privilege, path| {
            let shown = privilege == Privilege::Select && path_is_system(path) && monitor;
            shown || directory.may(user, privilege, path)
        };
        match action {
            Action::Stay => Ok(()),
            Action::On(privilege, path) if may(privilege, path) => Ok(()),
            Action::Know(path) if Privilege::ALL.iter().any(|p| may(*p, path)) => Ok(()),
            Action::Administer(_) if admin => Ok(()),
            Action::Watch(_) if monitor => Ok(()),
            Action::On(Privilege::Select, path) if path_is_system(path) => {
                Err(denied(format!("permission denied for table '{path}'"))
                    .with_hint(format!("an admin may GRANT monitor TO {user}, who then sees how the server does")))
            }
            Action::On(privilege, path) => {
                Err(denied(format!("permission denied for table '{path}'")).with_hint(format!(
                    "an admin may GRANT {} ON {path} TO {user}; SHOW GRANTS lists what you may do",
                    privilege.as_str()
                )))
            }
            Action::Know(path) => Err(denied(format!("permission denied for table '{path}'"))),
            Action::Administer(what) => Err(denied(format!("permission denied: {what} is for admins"))
                .with_hint(format!("an admin may GRANT admin TO {user}"))),
            Action::Watch(what) => Err(denied(format!("permission denied: {what} is for admins and monitors"))
                .with_hint(format!("an admin may GRANT monitor TO {user}"))),
        }
    }

    /// The same without a word in the log: for lists that show what may be seen.
    pub(crate) fn allows(&self, who: &Who, action: Action<'_>) -> bool {
        self.decide(who, action).is_ok()
    }

    pub(crate) fn authorize(&self, who: &Who, action: Action<'_>) -> Result<()> {
        self.decide(who, action).inspect_err(|_| {
            if let Who::Client { caller, login } = who {
                let user = login.as_ref().map_or("nobody", |login| &login.user);
                let Caller { door, peer } = caller;
                tracing::warn!(user, door = *door, %peer, "denied: {}", told(action));
            }
        })
    }

    /// Whether nothing is refused, so that nothing need be asked.
    pub(crate) fn is_free(&self, who: &Who) -> bool {
        self.allows(who, Action::Administer("all"))
    }

    // ---- logins -------------------------------------------------------------------------------------------

    /// The right to look at one password of this caller.
    pub(crate) fn attempt(&self, caller: Caller, user: &str) -> Result<Attempt> {
        self.access.throttle.attempt(caller.peer, user).map_err(|wait_ms| {
            let Caller { door, peer } = caller;
            tracing::warn!(user = shown(user), door, %peer, wait_ms, "a login was refused unseen: too many wrong passwords");
            let seconds = (wait_ms + 999) / 1_000;
            Error::new(ErrorKind::Exhausted, "too many wrong passwords from this address")
                .with_code(Code::NotAuthenticated)
                .with_hint(format!("try again in {seconds} s"))
        })
    }

    /// Ends a login whose password was looked at.
    pub(crate) fn judge(&self, attempt: Attempt, caller: Caller, user: &str, right: bool) -> Result<Who> {
        let directory = self.access.directory();
        let found = directory.user(user);
        let reason = match found {
            None => "there is no such user",
            Some(_) if !right => "the password is wrong",
            Some(user) if !user.is_valid(self.config.clock.now_ms()) => "the password has expired",
            Some(found) => {
                attempt.succeeded();
                let login = Login { user: user.into(), id: found.id };
                return Ok(Who::Client { caller, login: Some(login) });
            }
        };
        attempt.failed();
        let Caller { door, peer } = caller;
        tracing::warn!(user = shown(user), door, %peer, "a login failed: {reason}");
        Err(Error::user(format!("password authentication failed for user '{}'", shown(user)))
            .with_code(Code::InvalidPassword))
    }

    // ---- changes ------------------------------------------------------------------------------------------

    /// Changes users and roles, durably; an error leaves what was.
    pub(crate) async fn change_access<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Directory) -> Result<T> + Send,
    ) -> Result<T> {
        let _one = self.ddl.lock().await;
        let before = self.access.directory();
        let mut next = before.as_ref().clone();
        let told = change(&mut next)?;
        if next == *before {
            return Ok(told);
        }
        let known = *self.access.item.lock().expect("no holder of this lock panics");
        let id = known.unwrap_or_else(|| self.new_id());
        let item = CatalogItem {
            id,
            kind: ACCESS.into(),
            path: ObjectPath::new(SYSTEM_DATABASE, "$access"),
            sql: String::new(),
            topic: None,
            partitions: None,
            extra: json!({"directory": next}),
        };
        self.ask(|reply| Control::Catalog { changes: vec![Change::Put(item)], reply }).await?;
        *self.access.item.lock().expect("no holder of this lock panics") = Some(id);
        self.access.replace(next);
        Ok(told)
    }

    /// Rights on what is not there any more go.
    pub(crate) async fn forget_dropped(self: &Arc<Self>) -> Result<()> {
        let shared = self.clone();
        self.change_access(move |directory| {
            directory.keep_grants(|path| shared.is_there(path));
            Ok(())
        })
        .await
    }

    /// After a start: a drop that was cut short has left its rights.
    pub(crate) fn forget_dropped_at_start(&self) {
        let mut directory = self.access.directory().as_ref().clone();
        if directory.keep_grants(|path| self.is_there(path)) {
            self.access.replace(directory);
        }
    }

    pub(crate) fn is_there(&self, path: &ObjectPath) -> bool {
        let system = path_is_system(path) && crate::status::names().contains(&path.name);
        system || self.catalog.has(path) || self.tables.get(path).is_some()
    }
}

fn path_is_system(path: &ObjectPath) -> bool {
    path.database == SYSTEM_DATABASE
}

fn denied(message: String) -> Error {
    Error::user(message).with_code(Code::PermissionDenied)
}

pub(crate) fn unknown() -> Error {
    Error::user("this server asks for a user and a password")
        .with_code(Code::NotAuthenticated)
        .with_hint("connect again with both")
}

/// A name that a client gives, for a message: bounded, on one line.
pub(crate) fn shown(user: &str) -> String {
    user.chars().take(arus_core::limits::USER_NAME_BYTES).flat_map(char::escape_default).collect()
}

fn told(action: Action<'_>) -> String {
    match action {
        Action::Stay => "to go on".into(),
        Action::On(privilege, path) => format!("{} on {path}", privilege.as_str()),
        Action::Know(path) => format!("to know of {path}"),
        Action::Administer(what) | Action::Watch(what) => what.to_string(),
    }
}
