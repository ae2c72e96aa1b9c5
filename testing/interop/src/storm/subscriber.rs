//! Counts the messages of a storm: a QoS 2 subscriber on a thread of its own.

use anyhow::{Context, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long to wait for another message when all have been sent.
const QUIET: Duration = Duration::from_secs(2);
const CONNECT: [u8; 19] =
    [0x10, 17, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 5, b'c', b'o', b'u', b'n', b't'];
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
const SUBACK: [u8; 5] = [0x90, 3, 0, 1, 2];
const PUBLISH_QOS_2: u8 = 0x34;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;

pub(super) struct Subscriber {
    counting: JoinHandle<anyhow::Result<Vec<u32>>>,
    all_sent: Arc<AtomicBool>,
}

impl Subscriber {
    /// Subscribes; messages are numbered from 0 up to the total.
    pub(super) fn start(broker: SocketAddr, topic: &str, total: u32) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(broker).context("the subscriber cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(QUIET))?;
        stream.write_all(&CONNECT)?;
        expect(&mut stream, &CONNACK)?;
        stream.write_all(&subscribe(topic))?;
        expect(&mut stream, &SUBACK)?;
        let all_sent = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&all_sent);
        let counting = thread::spawn(move || count(stream, total, &told));
        Ok(Subscriber { counting, all_sent })
    }

    /// Waits for what is still on its way; an error says what is missing or came more than once.
    pub(super) fn finish(self) -> Result<(), String> {
        self.all_sent.store(true, Ordering::Release);
        let counted = self.counting.join().map_err(|_| "the subscriber failed".to_owned())?;
        let times = counted.map_err(|error| format!("the subscriber failed: {error:#}"))?;
        let missing = times.iter().filter(|&&times| times == 0).count();
        let repeated = times.iter().filter(|&&times| times > 1).count();
        if missing + repeated > 0 {
            return Err(format!("{missing} of {} messages missing, {repeated} more than once", times.len()));
        }
        Ok(())
    }
}

/// How many times each number came.
fn count(mut stream: TcpStream, total: u32, all_sent: &AtomicBool) -> anyhow::Result<Vec<u32>> {
    let mut times = vec![0; usize::try_from(total)?];
    let (mut messages, mut released) = (0, 0);
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    // The last PUBREL is awaited as well, for a duplicate would come before it.
    while messages < total || released < messages {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if is_timeout(error.kind()) && all_sent.load(Ordering::Acquire) => break,
            Err(error) if is_timeout(error.kind()) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut answers = Vec::new();
        let mut taken = 0;
        while let Some(packet) = first_packet(&bytes[taken..]) {
            taken += packet.len();
            let identifier = match packet[0] {
                PUBLISH_QOS_2 => {
                    let (identifier, number) = publish(packet).context("a malformed PUBLISH came")?;
                    let seen = times.get_mut(number).context("a number came that was never sent")?;
                    *seen += 1;
                    messages += 1;
                    answers.extend_from_slice(&[PUBREC, 2]);
                    identifier
                }
                PUBREL => {
                    released += 1;
                    answers.extend_from_slice(&[PUBCOMP, 2]);
                    [packet[2], packet[3]]
                }
                other => anyhow::bail!("a packet of type {other:#04x} came"),
            };
            answers.extend_from_slice(&identifier);
        }
        bytes.drain(..taken);
        stream.write_all(&answers)?;
    }
    Ok(times)
}

/// The first packet, if it is here in full. All packets of a storm are shorter than 128 bytes.
fn first_packet(bytes: &[u8]) -> Option<&[u8]> {
    let length = usize::from(*bytes.get(1)?);
    bytes.get(..2 + length)
}

/// Packet Identifier and number of a PUBLISH.
fn publish(packet: &[u8]) -> Option<([u8; 2], usize)> {
    let topic = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let rest = packet.get(4 + topic..)?;
    let (identifier, number) = (rest.first_chunk::<2>()?, rest.get(2..)?);
    let number = u32::from_be_bytes(number.try_into().ok()?);
    Some((*identifier, usize::try_from(number).ok()?))
}

fn subscribe(topic: &str) -> Vec<u8> {
    let topic_length = u8::try_from(topic.len()).expect("a short topic");
    let mut packet = vec![0x82, topic_length + 5, 0, 1, 0, topic_length];
    packet.extend_from_slice(topic.as_bytes());
    packet.push(2);
    packet
}

fn expect<const N: usize>(stream: &mut TcpStream, wanted: &[u8; N]) -> anyhow::Result<()> {
    let mut answer = [0; N];
    stream.read_exact(&mut answer).context("no answer to the subscriber")?;
    ensure!(answer == *wanted, "the broker answered {answer:02x?} to the subscriber");
    Ok(())
}

/// What a read says when its time is up differs between systems.
fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
