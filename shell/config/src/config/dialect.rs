//! Whose habits the node has.

/// Whose habits the node has, and with them the defaults of what is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Martlet's own: every refusal explains itself.
    #[default]
    Native,
    /// As Mosquitto 2.0 answers.
    Mosquitto,
    /// As Mosquitto 1.6 answers: everybody may enter, and what is not acknowledged is sent again after a while.
    Mosquitto1,
}

impl Dialect {
    /// Its name, as `--dialect` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Mosquitto => "mosquitto",
            Self::Mosquitto1 => "mosquitto1",
        }
    }
}
