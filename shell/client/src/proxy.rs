//! SOCKS5 (RFC 1928, and RFC 1929 for a user with a password): the proxy connects in our stead and resolves the name.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use crate::{Error, Proxy};

const VERSION: u8 = 5;
const NO_CREDENTIALS: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NOTHING_ACCEPTABLE: u8 = 0xFF;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks the proxy for a connection to this name and port. Afterwards the socket leads there.
pub(crate) fn ask(
    socket: &mut TcpStream,
    proxy: &Proxy,
    (host, port): (&str, u16),
    timeout: Duration,
) -> Result<(), Error> {
    let broken = |source| Error::Unreachable { server: "the Server through the proxy".to_owned(), source };
    socket.set_read_timeout(Some(timeout)).map_err(broken)?;
    socket.set_write_timeout(Some(timeout)).map_err(broken)?;
    let answer = negotiate(socket, proxy, host, port);
    socket.set_read_timeout(None).map_err(broken)?;
    socket.set_write_timeout(None).map_err(broken)?;
    answer.map_err(broken)?.map_err(Error::Proxy)
}

/// The whole dialogue, on anything that can be read and written. The inner error is what the proxy said.
fn negotiate(
    stream: &mut (impl Read + Write),
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> io::Result<Result<(), &'static str>> {
    let method = if proxy.credentials.is_some() { USER_AND_PASSWORD } else { NO_CREDENTIALS };
    stream.write_all(&[VERSION, 1, method])?;
    match (read::<2>(stream)?, &proxy.credentials) {
        ([VERSION, NO_CREDENTIALS], None) => {}
        ([VERSION, USER_AND_PASSWORD], Some((user, password))) => {
            stream.write_all(&credentials(user, password)?)?;
            let [_, status] = read(stream)?;
            if status != 0 {
                return Ok(Err("wrong user or password"));
            }
        }
        ([VERSION, NOTHING_ACCEPTABLE], None) => return Ok(Err("it wants a user and a password")),
        ([VERSION, _], _) => return Ok(Err("it wants another way to prove who we are")),
        _ => return Ok(Err("it does not speak SOCKS5")),
    }
    stream.write_all(&request(host, port)?)?;
    let [_, status, _, kind] = read(stream)?;
    if status != 0 {
        return Ok(Err(refusal(status)));
    }
    // Where the proxy connected from does not matter, but must be read.
    let address_bytes = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<1>(stream)?[0]),
        _ => return Ok(Err("it answered with an address of an unknown kind")),
    };
    let mut rest = [0; 257];
    stream.read_exact(&mut rest[..address_bytes + 2])?;
    Ok(Ok(()))
}

fn credentials(user: &str, password: &str) -> io::Result<Vec<u8>> {
    let mut bytes = vec![1];
    for word in [user, password] {
        bytes.push(short(word)?);
        bytes.extend_from_slice(word.as_bytes());
    }
    Ok(bytes)
}

fn request(host: &str, port: u16) -> io::Result<Vec<u8>> {
    let mut bytes = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            bytes.push(IPV4);
            bytes.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            bytes.push(IPV6);
            bytes.extend_from_slice(&address.octets());
        }
        Err(_) => {
            bytes.extend_from_slice(&[NAME, short(host)?]);
            bytes.extend_from_slice(host.as_bytes());
        }
    }
    bytes.extend_from_slice(&port.to_be_bytes());
    Ok(bytes)
}

/// The length of a word, in one byte.
fn short(word: &str) -> io::Result<u8> {
    let too_long =
        |_| io::Error::new(io::ErrorKind::InvalidInput, "a SOCKS5 proxy takes names of up to 255 bytes");
    u8::try_from(word.len()).map_err(too_long)
}

fn read<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

const fn refusal(status: u8) -> &'static str {
    match status {
        2 => "its rules do not allow it",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "the connection was refused",
        6 => "the connection took too long",
        7 => "it does not know the command",
        8 => "it does not know that kind of address",
        _ => "a general failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy that says what it is told to, and remembers what it heard.
    struct Script {
        says: io::Cursor<Vec<u8>>,
        heard: Vec<u8>,
    }

    impl Read for Script {
        fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
            self.says.read(chunk)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.heard.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn run(
        says: &[u8],
        credentials: Option<(&str, &str)>,
        host: &str,
    ) -> (Result<(), &'static str>, Vec<u8>) {
        let mut script = Script { says: io::Cursor::new(says.to_vec()), heard: Vec::new() };
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let proxy = Proxy { host: String::new(), port: 0, credentials };
        let answer = negotiate(&mut script, &proxy, host, 1883).unwrap();
        (answer, script.heard)
    }

    #[test]
    fn the_proxy_gets_the_name() {
        let (answer, heard) = run(&[5, 0, 5, 0, 0, 1, 127, 0, 0, 1, 0, 80], None, "mq");
        assert_eq!(answer, Ok(()));
        assert_eq!(heard, [&[5, 1, 0][..], &[5, 1, 0, 3, 2], b"mq", &[0x07, 0x5B]].concat());
    }

    #[test]
    fn a_user_proves_itself_and_an_address_goes_as_one() {
        let says = [5, 2, 1, 0, 5, 0, 0, 3, 1, b'x', 0, 80];
        let (answer, heard) = run(&says, Some(("u", "pw")), "::1");
        assert_eq!(answer, Ok(()));
        let address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(
            heard,
            [&[5, 1, 2][..], &[1, 1, b'u', 2, b'p', b'w'], &[5, 1, 0, 4], &address, &[0x07, 0x5B]].concat()
        );
    }

    #[test]
    fn refusals_are_told() {
        assert_eq!(run(&[5, 0xFF], None, "h").0, Err("it wants a user and a password"));
        assert_eq!(run(&[5, 2, 1, 1], Some(("u", "p")), "h").0, Err("wrong user or password"));
        assert_eq!(run(&[5, 0, 5, 5, 0, 1], None, "h").0, Err("the connection was refused"));
        assert_eq!(run(b"HT", None, "h").0, Err("it does not speak SOCKS5"));
    }
}
