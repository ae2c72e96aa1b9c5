//! A broker's program and the words that start it.
//!
//! The rule: what differs between brokers stands here and nowhere else.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A broker's program, started as `PROGRAM [broker] -p PORT`.
pub struct Program {
    path: PathBuf,
    is_mosquitto: bool,
}

impl Program {
    /// The program at `path`, or of that name where the shell finds it.
    pub fn at(path: PathBuf) -> Self {
        let is_mosquitto = path.file_name().is_some_and(|name| name.to_string_lossy().contains("mosquitto"));
        // It is started in a folder of its own, where a relative path would lead nowhere.
        let path =
            if path.components().count() > 1 { std::path::absolute(&path).unwrap_or(path) } else { path };
        Self { path, is_mosquitto }
    }

    /// `martlet`, freshly built for release beside this tool.
    pub fn built() -> Result<Self> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let status = Command::new(cargo)
            .args(["build", "--quiet", "--release", "--package", "martlet"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .context("starting cargo")?;
        ensure!(status.success(), "cargo could not build martlet");
        let tool = env::current_exe().context("finding this tool's own file")?;
        let target =
            tool.parent().and_then(Path::parent).context("this tool lies outside a target folder")?;
        let path = target.join("release").join("martlet");
        ensure!(path.is_file(), "cargo built no {}", path.display());
        Ok(Self::at(path))
    }

    /// Limits that are Martlet's own promise are printed, not required, for another broker.
    pub fn is_martlet(&self) -> bool {
        !self.is_mosquitto
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The program and its arguments to listen on `port` and keep nothing.
    pub fn command_line(&self, port: u16) -> Vec<OsString> {
        let mut words = vec![self.path.clone().into_os_string()];
        if !self.is_mosquitto {
            words.extend(["broker", "--durability", "memory"].map(OsString::from));
        }
        words.extend(["-p".into(), port.to_string().into()]);
        words
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.file_name().unwrap_or(self.path.as_os_str()).display())
    }
}

/// Ten thousand clients need ten thousand descriptors, here as in the broker.
pub fn raise_descriptor_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mosquitto_takes_no_subcommand() {
        let words = Program::at(PathBuf::from("/opt/mosquitto-2")).command_line(1999);
        assert_eq!(words, ["/opt/mosquitto-2", "-p", "1999"]);
    }

    #[test]
    fn any_other_program_is_started_as_martlet() {
        let words = Program::at(PathBuf::from("/opt/martlet")).command_line(1999);
        assert_eq!(words, ["/opt/martlet", "broker", "--durability", "memory", "-p", "1999"]);
    }
}
