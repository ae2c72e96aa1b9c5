//! `include_dir`: the files of a folder, in the order Mosquitto takes them.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::line::Line;
use super::{Block, Reader};
use crate::report::{Report, Severity};

impl Reader<'_> {
    pub(super) fn include(&mut self, line: &Line<'_>, block: Block) {
        if block.level > 0 {
            let why = "only the main file may include others; so it is in Mosquitto, which says nothing";
            return self.warn(line, "include_dir is ignored here", why, "put it into the main file");
        }
        let folder = Path::new(line.value());
        if folder.as_os_str().is_empty() {
            let why = "it names a folder whose files *.conf are read";
            return self.error(
                line,
                "include_dir has no value",
                why,
                "write one behind it, or put # before the line",
            );
        }
        let mut paths = match self.files.list(folder) {
            Ok(paths) => paths,
            Err(error) => {
                return self.error(
                    line,
                    "the folder cannot be read",
                    &error.to_string(),
                    "look whether it is there and who may read it",
                );
            }
        };
        paths.retain(|path| is_configuration(path));
        paths.sort_by(|a, b| as_mosquitto_sorts(a, b));
        for path in paths {
            self.include_file(path);
        }
    }

    fn include_file(&mut self, path: PathBuf) {
        let name = path.display().to_string();
        let problem = match self.files.read(&path) {
            Ok(bytes) => match crate::read::text_of(&name, bytes) {
                Ok(source) => {
                    self.files_read.push(path);
                    self.read_file(source, 1);
                    return;
                }
                Err(report) => *report,
            },
            Err(error) => Report::about_file(Severity::Error, name, "the file cannot be read".to_owned())
                .because(error.to_string())
                .fix("look who may read it, or give it another ending than .conf"),
        };
        self.reports.push(problem);
    }
}

/// Mosquitto wants at least one letter before `.conf`.
fn is_configuration(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
    name.len() > 5 && name.ends_with(b".conf")
}

/// Byte by byte without a look at capitals, which decide only between letters that are otherwise alike.
fn as_mosquitto_sorts(a: &Path, b: &Path) -> Ordering {
    let (a, b) = (a.as_os_str().as_encoded_bytes(), b.as_os_str().as_encoded_bytes());
    for (x, y) in a.iter().zip(b) {
        let order = x.to_ascii_uppercase().cmp(&y.to_ascii_uppercase()).then(x.cmp(y));
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_mosquittos_order() {
        let mut paths =
            ["d/b.conf", "d/B.conf", "d/a.conf", "d/10.conf", "d/_.conf", "d/9.conf"].map(Path::new);
        paths.sort_by(|a, b| as_mosquitto_sorts(a, b));
        let expected = ["d/10.conf", "d/9.conf", "d/a.conf", "d/B.conf", "d/b.conf", "d/_.conf"];
        assert_eq!(paths, expected.map(Path::new));
    }

    #[test]
    fn only_names_that_end_in_conf_are_read() {
        assert!(is_configuration(Path::new("d/a.conf")) && is_configuration(Path::new("d/.a.conf")));
        assert!(!is_configuration(Path::new("d/.conf")) && !is_configuration(Path::new("d/a.conf.bak")));
    }
}
