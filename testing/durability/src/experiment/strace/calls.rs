//! What strace wrote, as a list of calls with their beginning and end.
//!
//! The rule: positions are lines of the trace, which strace writes in the order in which things happened.

use std::collections::HashMap;
use std::fmt::Write;

/// A system call.
#[derive(Debug)]
pub(crate) struct Call {
    name: String,
    /// Everything between its parentheses.
    arguments: String,
    /// The file or socket of its first argument, a descriptor.
    pub(crate) file: String,
    /// Whether it returned something other than an error.
    pub(crate) succeeded: bool,
    pub(crate) began: usize,
    pub(crate) ended: usize,
}

impl Call {
    /// It writes to a file.
    pub(crate) fn is_write(&self) -> bool {
        self.name.contains("write") && !self.is_to_socket()
    }

    /// It puts a file on the disk.
    pub(crate) fn is_sync(&self) -> bool {
        self.name == "fdatasync" || self.name == "fsync"
    }

    /// It sends to a peer.
    pub(crate) fn is_to_socket(&self) -> bool {
        self.file.starts_with("socket:") || self.file.starts_with("TCP:")
    }

    /// It is about a file below this folder.
    pub(crate) fn is_below(&self, folder: &str) -> bool {
        self.file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    /// It was given these bytes.
    pub(crate) fn holds(&self, hexadecimal: &str) -> bool {
        self.arguments.contains(hexadecimal)
    }
}

/// Bytes as strace -xx writes them.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "\\x{byte:02x}").expect("a String takes everything");
        text
    })
}

/// All calls that have ended.
pub(crate) fn read(trace: &str) -> Vec<Call> {
    let mut unfinished: HashMap<&str, (usize, &str)> = HashMap::new();
    let mut calls = Vec::new();
    for (position, line) in trace.lines().enumerate() {
        let Some((thread, event)) = line.split_once(' ') else { continue };
        let event = event.trim_start();
        if let Some(beginning) = event.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (position, beginning));
        } else if let Some((_, ending)) =
            event.strip_prefix("<... ").and_then(|event| event.split_once(" resumed>"))
        {
            if let Some((began, beginning)) = unfinished.remove(thread) {
                calls.extend(call(&format!("{beginning}{ending}"), began, position));
            }
        } else {
            calls.extend(call(event, position, position));
        }
    }
    calls
}

/// `name(descriptor<file>, …) = result`
fn call(text: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let file = arguments.split_once('<')?.1.split_once('>')?.0;
    Some(Call {
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        file: decoded(file),
        succeeded: !result.starts_with('-'),
        began,
        ended,
    })
}

/// Paths are printed in hexadecimal as well, from some version of strace on.
fn decoded(file: &str) -> String {
    let mut bytes = Vec::new();
    for part in file.split("\\x").skip(1) {
        match u8::from_str_radix(part, 16) {
            Ok(byte) => bytes.push(byte),
            Err(_) => return file.to_owned(),
        }
    }
    if bytes.is_empty() { file.to_owned() } else { String::from_utf8_lossy(&bytes).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_threads_are_put_together() {
        let calls = read(
            "7 fdatasync(3</d/a> <unfinished ...>\n8  writev(4<TCP:[1->2]>, [{iov_base=\"\\x40\"}], 1) = 1\n7 <... fdatasync resumed>) = -1 EIO (x)\n",
        );
        let [send, sync] = calls.as_slice() else { panic!("{calls:?}") };
        assert!(send.is_to_socket() && !send.is_write() && send.holds("\\x40") && send.succeeded);
        assert!(sync.is_sync() && sync.is_below("/d") && !sync.is_below("/e") && !sync.succeeded);
        assert_eq!((sync.began, send.began, sync.ended), (0, 1, 2));
    }

    #[test]
    fn paths_in_hexadecimal_are_read() {
        assert_eq!(decoded("\\x2f\\x64"), "/d");
        assert_eq!(decoded("/d"), "/d");
        assert_eq!(decoded("socket:[12]"), "socket:[12]");
    }
}
