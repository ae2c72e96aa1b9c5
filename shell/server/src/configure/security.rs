//! Who may enter and do what: the files that say so, read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use martlet_access::Acl;
use martlet_auth::{AclFile, Error, PasswordFile, Problem, PskFile};
use martlet_config as written;

use super::Unusable;
use crate::entrance::{Entrance, Identity};

/// The option of the plug-in that names its file.
const DYNAMIC_FILE: &str = "config_file";

/// Files that several listeners may name, each read once.
#[derive(Debug, Default)]
pub(super) struct Files {
    passwords: Vec<(PathBuf, Arc<PasswordFile>)>,
    acls: Vec<(PathBuf, Arc<Acl>)>,
    psks: Vec<(PathBuf, Arc<PskFile>)>,
    pub(super) warnings: Vec<String>,
}

/// The file of dynamic security, if it is asked for. A node has one.
pub(super) fn dynamic(from: &written::Config) -> Result<Option<PathBuf>, Unusable> {
    let mut found = None;
    for security in from.listeners.iter().map(|listener| from.security_of(listener)) {
        for plugin in &security.plugins {
            if !plugin.is_dynamic_security() {
                let text =
                    "plug-ins are not loaded; the one that is built in is mosquitto_dynamic_security.so";
                return Err(Unusable::of(plugin.path.display(), text));
            }
            let file = plugin.option(DYNAMIC_FILE).map(PathBuf::from);
            let file =
                file.ok_or_else(|| Unusable::of("dynamic security", "plugin_opt_config_file is missing"))?;
            if found.replace(file.clone()).is_some_and(|other| other != file) {
                let text = "all listeners share one file, and here two are named";
                return Err(Unusable::of("dynamic security", text));
            }
        }
    }
    Ok(found)
}

/// Who may enter by a listener.
pub(super) fn entrance(
    from: &written::Config,
    listener: &written::Listener,
    files: &mut Files,
) -> Result<Entrance, Unusable> {
    let security = from.security_of(listener);
    Ok(Entrance {
        allows_anonymous: from.allows_anonymous(listener),
        identity: identity(&listener.tls, listener.proxy),
        passwords: security.password_file.as_deref().map(|path| files.passwords(path)).transpose()?,
        acl: security.acl_file.as_deref().map(|path| files.acl(path)).transpose()?,
        is_dynamic: security.plugins.iter().any(written::Plugin::is_dynamic_security),
    })
}

fn identity(tls: &written::Tls, proxy: written::ProxyProtocol) -> Option<Identity> {
    if !tls.is_on() && proxy == written::ProxyProtocol::Off {
        return None;
    }
    let subject = tls.use_subject_as_username.then_some(Identity::Subject);
    tls.use_identity_as_username.then_some(Identity::CommonName).or(subject)
}

impl Files {
    pub(super) fn passwords(&mut self, path: &Path) -> Result<Arc<PasswordFile>, Unusable> {
        once(&mut self.passwords, &mut self.warnings, path, PasswordFile::read)
    }

    pub(super) fn acl(&mut self, path: &Path) -> Result<Arc<Acl>, Unusable> {
        once(&mut self.acls, &mut self.warnings, path, |path| {
            let file = AclFile::read(path)?;
            Ok((file.rules(), file.warnings))
        })
    }

    pub(super) fn psks(&mut self, path: &Path) -> Result<Arc<PskFile>, Unusable> {
        once(&mut self.psks, &mut self.warnings, path, PskFile::read)
    }
}

fn once<T>(
    known: &mut Vec<(PathBuf, Arc<T>)>,
    warnings: &mut Vec<String>,
    path: &Path,
    read: impl FnOnce(&Path) -> Result<(T, Vec<Problem>), Error>,
) -> Result<Arc<T>, Unusable> {
    if let Some((_, file)) = known.iter().find(|(name, _)| name == path) {
        return Ok(Arc::clone(file));
    }
    let (file, problems) = read(path).map_err(|error| Unusable(error.to_string()))?;
    warnings.extend(problems.iter().map(|problem| format!("{}: {problem}", path.display())));
    let file = Arc::new(file);
    known.push((path.to_owned(), Arc::clone(&file)));
    Ok(file)
}
