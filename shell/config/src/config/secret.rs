//! Text that nobody may read by accident.

use std::fmt;

/// A password or a key: `Debug` shows that there is one, never which.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password or a key.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// What is wrapped, for the one line that sends or compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("open sesame".to_owned());
        assert!(!format!("{secret:?} {secret:#?}").contains("sesame"));
        assert_eq!(secret.reveal(), "open sesame");
    }
}
