//! What a Network Connection lies on, as it goes from the acceptor to a runner, and from one runner to another.

use mio::net::TcpStream;

use crate::layers::Layers;

/// A socket, and the layers on it.
#[derive(Debug)]
pub struct Transport {
    pub(crate) socket: TcpStream,
    /// `None` for plain MQTT.
    pub(crate) layers: Option<Box<Layers>>,
}

/// Plain MQTT.
impl From<TcpStream> for Transport {
    fn from(socket: TcpStream) -> Self {
        Self { socket, layers: None }
    }
}
