//! The frames of a log as its bytes have them, for people who look into a failure.

use std::path::Path;

use crate::Disk;

/// One line a frame, whole or not, in the order of the segments.
pub fn frames(disk: &Disk) -> Vec<String> {
    let segments = disk.files().filter(|(path, _)| path.starts_with("log"));
    segments.flat_map(|(path, bytes)| in_segment(path, bytes)).collect()
}

fn in_segment(path: &Path, bytes: &[u8]) -> Vec<String> {
    let mut lines = vec![format!("{} {} bytes", path.display(), bytes.len())];
    for at in (0..bytes.len().saturating_sub(47)).step_by(8) {
        let frame = &bytes[at..];
        if frame.starts_with(b"mtlf") {
            let number =
                |from: usize| u64::from_le_bytes(frame[from..from + 8].try_into().expect("eight bytes"));
            let len = u32::from_le_bytes(frame[4..8].try_into().expect("four bytes"));
            let kind = ["?", "Batches", "Bytes", "Whereabouts", "Began", "Complete", "Mark", "Lost"]
                .get(usize::from(frame[38]))
                .unwrap_or(&"?");
            let origin = number(24);
            lines.push(format!(
                "  {at:5} {kind:12} position {} durable {} origin {}:{} body {len}",
                number(8),
                number(16),
                origin >> 32,
                origin & 0xffff_ffff
            ));
        }
    }
    lines
}
