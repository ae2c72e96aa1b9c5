//! Gets everything that runs: Martlet from this workspace, and the clients' libraries from their package registries
//! into a cache below `target/`. The one rule: versions are those pinned under `clients/`, and nothing is installed
//! outside the cache.

use crate::group::{self, Ending};
use crate::scenario::{Libraries, Program};
use anyhow::{Context, bail, ensure};
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

const BUILD: Duration = Duration::from_secs(1800);
const INSTALL: Duration = Duration::from_secs(600);

pub(crate) struct Workshop {
    root: PathBuf,
    clients: PathBuf,
    cache: PathBuf,
    /// What was prepared already, or why it could not be.
    prepared: HashMap<String, Result<(), String>>,
}

impl Workshop {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let manifest = cargo(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .context("cannot run cargo")?;
        let metadata: Metadata =
            serde_json::from_slice(&manifest.stdout).context("cannot read `cargo metadata`")?;
        let cache = metadata.target_directory.join("interop");
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
        Ok(Workshop { root: metadata.workspace_root, clients, cache, prepared: HashMap::new() })
    }

    /// A folder of the cache.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.cache.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// Builds Martlet as people run it and answers where it is.
    pub(crate) fn martlet(&self) -> anyhow::Result<PathBuf> {
        let mut command =
            cargo(["build", "--release", "-p", "martlet", "--message-format", "json-render-diagnostics"]);
        let mut executable = None;
        let ending = group::run(command.current_dir(&self.root), BUILD, |line| {
            if let Ok(Built { executable: Some(path), target }) = serde_json::from_str(line)
                && target.name == "martlet"
            {
                executable = Some(path);
            }
        })?;
        ensure!(matches!(ending, Ending::Exited(status) if status.success()), "Martlet does not build");
        executable.context("cargo built no program named martlet")
    }

    /// Installs what the program needs, unless it is there; the same failure is told again without a new attempt.
    pub(crate) fn prepare(&mut self, program: Program) -> Result<(), String> {
        let key = self.key(program);
        if let Some(done) = self.prepared.get(&key) {
            return done.clone();
        }
        let done = match program {
            Program::Python { libraries, .. } => self.python_libraries(libraries),
            Program::Node { .. } => self.node_libraries(),
            Program::Go => self.go_program(),
            Program::Rust => self.rust_program(),
        };
        let done = done.map_err(|error| format!("{error:#}"));
        self.prepared.insert(key, done.clone());
        done
    }

    /// The command that runs a prepared program; the address and words follow.
    pub(crate) fn command(&self, program: Program) -> Command {
        match program {
            Program::Python { script, libraries } => {
                let mut command = Command::new(self.python(libraries));
                command.arg(self.clients.join("python").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Program::Node { script } => {
                let mut command = Command::new("node");
                let modules = self.cache.join("js/node_modules");
                command.arg(self.clients.join("js").join(script)).env("NODE_PATH", modules);
                command
            }
            Program::Go => Command::new(self.cache.join("go/clients")),
            Program::Rust => Command::new(self.cache.join("rust/release/martlet-interop-rumqttc")),
        }
    }

    /// The name of what has to be prepared; programs that share it are prepared once.
    fn key(&self, program: Program) -> String {
        match program {
            Program::Python { libraries, .. } => format!("python-{}", libraries.name()),
            Program::Node { .. } => "js".into(),
            Program::Go => "go".into(),
            Program::Rust => "rust".into(),
        }
    }

    fn python(&self, libraries: Libraries) -> PathBuf {
        match libraries {
            Libraries::None => "python3".into(),
            _ => self.cache.join(format!("python-{}/bin/python", libraries.name())),
        }
    }

    fn python_libraries(&self, libraries: Libraries) -> anyhow::Result<()> {
        if libraries == Libraries::None {
            return Ok(());
        }
        let name = format!("python-{}", libraries.name());
        let requirements = self.clients.join(format!("python/requirements-{}.txt", libraries.name()));
        self.unless_stamped(&name, &requirements, || {
            let environment = self.cache.join(&name);
            self.install(&name, Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
            let mut pip = Command::new(environment.join("bin/python"));
            pip.args(["-m", "pip", "install", "--no-deps", "-r"]).arg(&requirements);
            self.install(&name, &mut pip)
        })
    }

    fn node_libraries(&self) -> anyhow::Result<()> {
        let lock = self.clients.join("js/package-lock.json");
        self.unless_stamped("js", &lock, || {
            let folder = self.folder("js")?;
            for file in ["package.json", "package-lock.json"] {
                fs::copy(self.clients.join("js").join(file), folder.join(file))?;
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder);
            self.install("js", &mut npm)
        })
    }

    fn go_program(&self) -> anyhow::Result<()> {
        let folder = self.folder("go")?;
        let mut go = Command::new("go");
        // Writable, so that the target folder can be removed like any other.
        go.args(["build", "-mod=readonly", "-modcacherw", "-o"]).arg(folder.join("clients")).arg(".");
        go.current_dir(self.clients.join("go")).env("GOMODCACHE", folder.join("modules"));
        self.install("go", &mut go)
    }

    fn rust_program(&self) -> anyhow::Result<()> {
        let mut command = cargo(["build", "--release", "--locked", "--target-dir"]);
        command.arg(self.cache.join("rust")).current_dir(self.clients.join("rust"));
        self.install("rust", &mut command)
    }

    /// Does the work unless it was done with the same manifest.
    fn unless_stamped(
        &self,
        name: &str,
        manifest: &Path,
        work: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let stamp = self.cache.join(format!("{name}.stamp"));
        let wanted = fs::read(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
        if fs::read(&stamp).is_ok_and(|done| done == wanted) {
            return Ok(());
        }
        work()?;
        fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
    }

    fn install(&self, name: &str, command: &mut Command) -> anyhow::Result<()> {
        let log = self.folder("logs")?.join(format!("install-{name}.log"));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = command.get_program().to_string_lossy().into_owned();
        let ending = group::run(command.stderr(file), INSTALL, |_| {})
            .with_context(|| format!("cannot run {program}"))?;
        match ending {
            Ending::Exited(status) if ExitStatus::success(&status) => Ok(()),
            Ending::Exited(status) => bail!("{program} ended with {status}; see {}", log.display()),
            Ending::TimedOut => bail!("{program} took longer than {INSTALL:?}; see {}", log.display()),
        }
    }
}

impl Libraries {
    fn name(self) -> &'static str {
        match self {
            Libraries::Paho1 => "paho1",
            Libraries::Current => "current",
            Libraries::None => "none",
        }
    }
}

/// The part of `cargo metadata` that is used.
#[derive(serde::Deserialize)]
struct Metadata {
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

/// The part of cargo's build messages that is used.
#[derive(serde::Deserialize)]
struct Built {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(serde::Deserialize)]
struct Target {
    name: String,
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}
