//! From root to a user who may do less, for the rest of the process.
//!
//! The rule: it happens before any thread is started and before any file is made, and whoever cannot go all the way
//! does not start.

use std::ffi::CString;

use anyhow::{Context, Result, bail};
use nix::unistd::{Uid, User, initgroups, setgid, setuid};

/// The user Mosquitto takes where there is no `mosquitto`.
const FALLBACK: &str = "nobody";

/// Becomes this user, if the process is root's; an empty name and `root` stay root. Says who it became.
pub(crate) fn become_user(name: &str) -> Result<Option<String>> {
    if !Uid::effective().is_root() || matches!(name, "" | "root") {
        return Ok(None);
    }
    let user = find(name)?;
    let groups = CString::new(user.name.as_str()).context("a user's name has no zero in it")?;
    let step = |what| format!("the process cannot become {}: {what}", user.name);
    initgroups(&groups, user.gid).with_context(|| step("its groups"))?;
    setgid(user.gid).with_context(|| step("its group"))?;
    setuid(user.uid).with_context(|| step("its user"))?;
    Ok(Some(user.name))
}

fn find(name: &str) -> Result<User> {
    if let Some(user) = User::from_name(name)? {
        return Ok(user);
    }
    let usual = name == "mosquitto";
    match User::from_name(FALLBACK)?.filter(|_| usual) {
        Some(nobody) => Ok(nobody),
        None => bail!(
            "there is no user {name} on this machine; name one with `user`, or `user root` to stay root"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_is_not_there_is_told_by_name() {
        assert!(find("root").is_ok_and(|user| user.uid.is_root()));
        let error = find("no-such-user-here").unwrap_err().to_string();
        assert!(error.contains("no-such-user-here"), "{error}");
    }

    #[test]
    fn root_may_stay_root() {
        assert_eq!(become_user("root").unwrap(), None);
        assert_eq!(become_user("").unwrap(), None);
    }
}
