//! Peers that vanish: from one moment on every packet between them and the broker is lost, and nobody says so.
//!
//! The rule: the Will is the witness. It must come within 1.5 times the Keep Alive [MQTT-3.1.2-22] and not before one Keep Alive has passed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use martlet_witness::report::Report;
use martlet_witness::wire::{self, Connect, Version, Will};
use martlet_witness::{Broker, Client};

use crate::Setup;
use crate::namespace::{BROKER_PORT, Cable, obstacle};

/// The Keep Alives tried at once, in seconds.
const KEEP_ALIVES: [u16; 3] = [2, 4, 10];
/// Keep Alive counts whole seconds, so a broker's clock may as well; this much later than 1.5 times is still in time.
const ALLOWANCE: Duration = Duration::from_secs(1);
/// Past the last moment at which a Will could be in time, so that a late one is told from none.
const PATIENCE: Duration = Duration::from_secs(10);

const WILLS: &str = "vanish/will/#";
const DATA: &str = "vanish/data";
/// 6.4 MB a second fills every socket buffer well before the shortest Keep Alive is over.
const DATA_SIZE: usize = 64 * 1024;
const DATA_PERIOD: Duration = Duration::from_millis(10);

/// A client behind the cable.
struct Peer {
    name: String,
    keep_alive: Duration,
    client: Client,
    /// Its last packet left after `asked` and had arrived before `answered`.
    asked: Instant,
    answered: Instant,
    detected: Option<Instant>,
}

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    if let Some(why) = obstacle() {
        report.skip(why);
        return Ok(());
    }
    let cable = Cable::lay()?;
    let broker = cable.broker.run(|| Broker::start_on(&setup.program, BROKER_PORT))?;
    let mut watcher = cable.broker.run(|| Client::connect(Cable::address(), &unhurried("watcher")))?;
    watcher.subscribe(WILLS, 1)?;
    let publisher = cable.broker.run(|| Client::connect(Cable::address(), &unhurried("publisher")))?;
    let mut peers = cable.peers.run(connect_peers)?;

    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let data = scope.spawn(|| publish_data(publisher, &done));
        let watched = vanish(&cable, &mut peers).and_then(|()| await_wills(&mut watcher, &mut peers));
        done.store(true, Ordering::Relaxed);
        let published = data.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        watched.and(published.context("a subscriber that had vanished blocked its publisher"))
    })?;
    for peer in &mut peers {
        // Else they were told, and this was no vanishing.
        ensure!(peer.client.looks_open(), "{} heard of its end: packets got through", peer.name);
        judge(peer, report);
    }
    broker.stop()?.judge(report);
    Ok(())
}

fn unhurried(client_id: &str) -> Connect<'_> {
    Connect { keep_alive: 0, ..Connect::new(client_id) }
}

/// For every Keep Alive one silent client and one that is being sent data.
fn connect_peers() -> Result<Vec<Peer>> {
    let mut peers = Vec::new();
    for keep_alive in KEEP_ALIVES {
        for kind in ["silent", "subscriber"] {
            let name = format!("{kind}-{keep_alive}");
            let will = format!("vanish/will/{name}");
            let will = Will { topic: &will, payload: b"vanished", qos: 1, delay: None };
            let connect = Connect { keep_alive, will: Some(will), ..Connect::new(&name) };
            let mut client = Client::connect(Cable::address(), &connect)?;
            if kind == "subscriber" {
                // QoS 0: a PUBACK would be a sign of life.
                client.subscribe(DATA, 0)?;
            }
            let (now, keep_alive) = (Instant::now(), Duration::from_secs(keep_alive.into()));
            peers.push(Peer { name, keep_alive, client, asked: now, answered: now, detected: None });
        }
    }
    Ok(peers)
}

fn publish_data(mut publisher: Client, done: &AtomicBool) -> Result<()> {
    let data = wire::publish(DATA, None, &[b'd'; DATA_SIZE]);
    while !done.load(Ordering::Relaxed) {
        publisher.send(&data)?;
        thread::sleep(DATA_PERIOD);
    }
    Ok(())
}

/// Each peer gives its last sign of life, then the cable is dead.
fn vanish(cable: &Cable, peers: &mut [Peer]) -> Result<()> {
    for peer in peers {
        peer.asked = Instant::now();
        peer.client.ping()?;
        peer.answered = Instant::now();
    }
    cable.lose_everything()
}

fn await_wills(watcher: &mut Client, peers: &mut [Peer]) -> Result<()> {
    let last = peers.iter().map(latest).max().context("nobody vanished")?;
    while peers.iter().any(|peer| peer.detected.is_none()) {
        let Some(packet) = watcher.receive(last + PATIENCE)? else { break };
        let now = Instant::now();
        let Some(will) = packet.publish(Version::V311) else { continue };
        if let Some(id) = will.id {
            watcher.send(&wire::puback(id))?;
        }
        let is_of = |peer: &&mut Peer| will.topic.ends_with(format!("/{}", peer.name).as_bytes());
        if let Some(peer) = peers.iter_mut().find(is_of) {
            peer.detected.get_or_insert(now);
        }
    }
    Ok(())
}

fn latest(peer: &Peer) -> Instant {
    peer.answered + peer.keep_alive.mul_f64(1.5) + ALLOWANCE
}

fn judge(peer: &Peer, report: &mut Report) {
    let name = &peer.name;
    let Some(detected) = peer.detected else {
        report.fail(format!("{name}: no Will within {PATIENCE:?} after the last moment for it"));
        return;
    };
    let after = detected - peer.answered;
    report.number(name, after.as_secs_f64() / peer.keep_alive.as_secs_f64(), "× Keep Alive");
    report.require(detected <= latest(peer), || {
        format!("{name}: Will after {after:.1?}, beyond 1.5 × Keep Alive + {ALLOWANCE:?}")
    });
    report.require(detected - peer.asked >= peer.keep_alive, || {
        format!("{name}: Will after {after:.1?}, before one Keep Alive")
    });
}
