//! Reading files that are nobody else's business.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::{Error, Problem};

/// What others than the owner and the group may do with a file.
const OTHERS: u32 = 0o007;

/// What is in a file, and whether too many may see it.
pub(crate) fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<Problem>), Error> {
    let failed = |source| Error::read(path, source);
    let mode = fs::metadata(path).map_err(failed)?.mode();
    let bytes = fs::read(path).map(Zeroizing::new).map_err(failed)?;
    let text =
        "every user of this machine can read or change it: `chmod o= FILE` keeps it to its owner and group";
    let exposed = (mode & OTHERS != 0).then(|| Problem::warning(0, text));
    Ok((bytes, exposed))
}
