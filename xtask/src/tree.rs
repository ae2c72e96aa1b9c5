//! The files of the project. The rule kept here: paths are told relative to the root, with `/`,
//! so that a message reads the same on every machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders that hold what was built or found, never what was written.
const NOT_OURS: &[&str] = &[".git", "target", "corpus", "artifacts", "node_modules"];

/// The root of the checkout this tool belongs to.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().expect("xtask is a folder of the project").to_path_buf()
}

/// One text file of the project.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

impl File {
    /// Whether this is Rust code.
    pub(crate) fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    /// Whether this is a Markdown document.
    pub(crate) fn is_markdown(&self) -> bool {
        has_extension(&self.path, "md")
    }
}

/// Every text file below `root`, in order of its path.
pub(crate) fn text_files(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_ref()) {
                collect(root, &path, files)?;
            }
        } else if let Ok(text) = String::from_utf8(fs::read(&path)?) {
            let path = relative(root, &path);
            files.push(File { path, text });
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.to_string_lossy().replace('\\', "/")
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}
