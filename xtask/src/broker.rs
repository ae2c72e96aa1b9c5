//! The broker as other programs start it: built for release, found wherever Cargo put it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{process, terminal};

/// Builds `martlet` for release and returns the path of the program.
pub(crate) fn release() -> Result<PathBuf> {
    terminal::step("building the broker for release");
    process::run(process::cargo().args(["build", "--quiet", "--release", "--package", "martlet"]))?;
    Ok(target_folder()?.join("release").join(format!("martlet{}", std::env::consts::EXE_SUFFIX)))
}

fn target_folder() -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let printed = process::output_of(process::cargo().args([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--quiet",
    ]))?;
    let metadata: Metadata =
        serde_json::from_str(&printed).context("cargo metadata printed something unexpected")?;
    Ok(metadata.target_directory)
}
