//! Who listens on a port of this machine, as far as `/proc` tells.

use std::fs;
use std::path::Path;

/// State of a listening socket in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// The program that listens on `port`, in words.
pub(crate) fn of(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inodes: Vec<String> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    let sockets: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut processes = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let owner = processes.find(|name| is_process(name) && holds(&Path::new("/proc").join(name), &sockets))?;
    let name = fs::read_to_string(Path::new("/proc").join(&owner).join("comm")).ok()?;
    Some(format!("{} (process {owner})", name.trim()))
}

/// Inodes of the sockets that listen on `port`, from a table of the kernel.
fn listening(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, ..] = words[..] else { return None };
            let inode = words.get(9)?;
            (local.ends_with(&suffix) && state == LISTEN).then(|| (*inode).to_owned())
        })
        .collect()
}

/// Has this process one of these sockets open?
fn holds(process: &Path, sockets: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[cfg(target_os = "linux")]
    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let owner = of(listener.local_addr().unwrap().port()).unwrap();
        assert!(owner.ends_with(&format!("(process {})", std::process::id())), "{owner}");
    }
}
