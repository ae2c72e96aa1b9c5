//! SIGTERM while a thousand clients are connected and each has data waiting.
//!
//! The rule: what was acknowledged to the publisher and lies in an out buffer still reaches its reader, then 5.0 clients are told why.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::crowd::{Crowd, Event, Narrow};
use martlet_witness::report::Report;
use martlet_witness::wire::{self, Connect, Version, kind};
use martlet_witness::{Broker, Client, STOP_MAX};

use crate::Setup;

const CLIENTS: usize = 1_000;
const NEWS: &str = "shutdown/news";
/// No more than every broker sends before the first PUBACK, so that all of it is on its way when SIGTERM comes.
const MESSAGES: usize = 20;
/// All of them are more than the kernel keeps for a connection so narrow: the rest waits in the broker.
const SIZE: usize = 16 << 10;
const READERS: Narrow = Narrow { receive_buffer: 16 << 10, segment: 1_460 };
const SERVER_SHUTTING_DOWN: u8 = 0x8b;
const SUBSCRIBED_MAX: Duration = Duration::from_secs(20);

/// What a client has got since SIGTERM.
#[derive(Clone, Default)]
struct Heard {
    messages: usize,
    reason: Option<u8>,
    closed: bool,
}

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    report.part("all read");
    shut_down(setup, false, report)?;
    report.part("one never reads");
    shut_down(setup, true, report)
}

fn shut_down(setup: &Setup, with_deaf: bool, report: &mut Report) -> Result<()> {
    let broker = Broker::start(&setup.program)?;
    let mut crowd = subscribe_all(&broker)?;
    let deaf = if with_deaf { Some(subscribe_deaf(&broker)?) } else { None };
    let mut publisher = Client::connect(broker.address(), &Connect::new("publisher"))?;
    for number in 0..MESSAGES {
        let digit = b'a' + u8::try_from(number)?;
        publisher.publish(NEWS, &vec![digit; SIZE])?;
    }
    drop(publisher);
    let (ending, heard) = thread::scope(|scope| {
        let ending = scope.spawn(|| broker.stop());
        let heard = hear_all(&mut crowd);
        (ending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), heard)
    });
    drop(deaf);
    judge(&heard?, report);
    ending?.judge(report);
    Ok(())
}

fn version(number: usize) -> Version {
    if number.is_multiple_of(2) { Version::V5 } else { Version::V311 }
}

/// Clients of both versions, subscribed and not reading.
fn subscribe_all(broker: &Broker) -> Result<Crowd> {
    let mut crowd = Crowd::new(broker.address())?;
    crowd.make_narrow(READERS);
    for client in 0..CLIENTS {
        let number = crowd.open()?;
        let version = version(number);
        let client_id = format!("reader-{client}");
        crowd.send(number, &Connect { version, ..Connect::new(&client_id) }.bytes());
        crowd.send(number, &wire::subscribe(version, 1, NEWS, 1));
    }
    let deadline = Instant::now() + SUBSCRIBED_MAX;
    let mut subscribed = 0;
    while subscribed < CLIENTS {
        ensure!(
            Instant::now() < deadline,
            "{subscribed} of {CLIENTS} clients subscribed within {SUBSCRIBED_MAX:?}"
        );
        for (number, event) in crowd.turn(deadline)? {
            match event {
                Event::Packet(packet) if packet.kind == kind::SUBACK => {
                    subscribed += 1;
                    crowd.turn_deaf(number);
                }
                Event::Packet(packet) => ensure!(packet.is_welcome(), "a client was refused: {packet:?}"),
                Event::Opened => {}
                Event::Closed(end) => anyhow::bail!("a client was closed before its time: {end:?}"),
            }
        }
    }
    Ok(crowd)
}

fn subscribe_deaf(broker: &Broker) -> Result<Client> {
    let mut deaf = Client::connect(broker.address(), &Connect::new("deaf"))?;
    deaf.subscribe("shutdown/#", 0)?;
    let mut publisher = Client::connect(broker.address(), &Connect::new("flooder"))?;
    let message = wire::publish("shutdown/flood", None, &vec![b'd'; SIZE]);
    // 16 MiB are more than the kernel takes for one connection.
    for _ in 0..1024 {
        publisher.send(&message)?;
    }
    publisher.ping().context("filling the deaf client's queue")?;
    Ok(deaf)
}

/// Reads everything until all connections are closed.
fn hear_all(crowd: &mut Crowd) -> Result<Vec<Heard>> {
    let deadline = Instant::now() + STOP_MAX;
    let mut heard = vec![Heard::default(); CLIENTS];
    crowd.listen_again();
    while crowd.open_count() > 0 && Instant::now() < deadline {
        hear(crowd, &mut heard, deadline)?;
    }
    // What the last reads found before they found the end.
    hear(crowd, &mut heard, Instant::now())?;
    Ok(heard)
}

fn hear(crowd: &mut Crowd, heard: &mut [Heard], deadline: Instant) -> Result<()> {
    for (number, event) in crowd.turn(deadline)? {
        let client = &mut heard[number];
        match event {
            Event::Packet(packet) => {
                if let Some(reason) = packet.disconnect_reason() {
                    client.reason = Some(reason);
                } else if let Some(publish) = packet.publish(version(number)) {
                    let expected = b'a' + u8::try_from(client.messages)?;
                    let is_next = publish.payload.len() == SIZE && publish.payload.first() == Some(&expected);
                    client.messages += usize::from(is_next && client.reason.is_none());
                    crowd.send(number, &wire::puback(publish.id.unwrap_or_default()));
                }
            }
            Event::Opened => {}
            Event::Closed(_) => client.closed = true,
        }
    }
    Ok(())
}

fn judge(heard: &[Heard], report: &mut Report) {
    let of_version = |wanted| {
        heard
            .iter()
            .enumerate()
            .filter(move |(number, _)| version(*number) == wanted)
            .map(|(_, client)| client)
    };
    let fives = of_version(Version::V5).count();
    let told = of_version(Version::V5).filter(|client| client.reason == Some(SERVER_SHUTTING_DOWN)).count();
    let surprised = of_version(Version::V311).filter(|client| client.reason.is_some()).count();
    let complete = heard.iter().filter(|client| client.messages == MESSAGES).count();
    let closed = heard.iter().filter(|client| client.closed).count();
    report.count("got everything", complete);
    report.count("5.0 told 0x8B", told);
    report.require(told == fives, || format!("{told} of {fives} 5.0 clients got DISCONNECT 0x8B"));
    report.require(surprised == 0, || {
        format!("{surprised} 3.1.1 clients got a DISCONNECT, which only clients may send")
    });
    report.require(complete == CLIENTS, || {
        let least = heard.iter().map(|client| client.messages).min().unwrap_or_default();
        format!("{complete} of {CLIENTS} clients got all {MESSAGES} messages in order, the poorest {least}")
    });
    report.require(closed == CLIENTS, || {
        format!("{closed} of {CLIENTS} connections closed within {STOP_MAX:?}")
    });
}
