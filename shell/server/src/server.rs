//! Starts a node and ends it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use martlet_broker::{Node, Shard};
use martlet_disk::OpenError;
use martlet_net::{Acceptor, Error as ListenError, Listener};
use martlet_record::ShardId;
use mio::Poll;

use crate::Config;
use crate::clock::Clock;
use crate::control::{self, Administration, Control, Order, Source};
use crate::doors::Doors;
use crate::mailbox::{Mail, Mailbox};
use crate::runner::{ACCEPT, Runner, WAKE};
use crate::shared::{Gate, Gatehouse, Shared};
use crate::store::{self, Beginning};

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The file of dynamic security cannot be used.
    #[error(transparent)]
    DynamicSecurity(#[from] martlet_auth::Error),
    /// There is no address to listen on.
    #[error("there is no address to listen on")]
    Nowhere,
    /// The system refused something that is not a matter of configuration.
    #[error("the system refused what a broker needs")]
    System(#[from] io::Error),
}

/// Starts nodes.
#[derive(Debug)]
pub struct Server;

/// A node that runs. It goes on when this is dropped; [`Handle::stop`] ends it.
#[derive(Debug)]
pub struct Handle {
    addresses: Vec<SocketAddr>,
    stopper: Stopper,
    threads: Vec<JoinHandle<io::Result<()>>>,
    control: JoinHandle<()>,
}

/// Ends a node from anywhere.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<Shared>);

impl Server {
    /// Binds all addresses and starts the runners. When it returns, Clients can connect.
    pub fn start(config: &Config) -> Result<Handle, Error> {
        let listeners = open_all(config)?;
        let addresses = listeners.iter().flat_map(Listener::addresses).collect();
        let runners = config.runners.get().min(ShardId::COUNT);
        let polls = (0..runners).map(|_| Poll::new()).collect::<io::Result<Vec<_>>>()?;
        let mailboxes = polls.iter().map(|poll| Mailbox::new(poll.registry(), WAKE));
        let mailboxes = mailboxes.collect::<io::Result<Box<[_]>>>()?;
        let start = Instant::now();
        let new_node = || Arc::new(Node::new(config.settings.clone(), seed()));
        let Beginning { node, shards, notices, journal, listener } =
            store::begin(config, new_node, || Clock::new(start).read())?;
        let dynamic = Administration::open(config)?;
        let (orders, received) = control::orders();
        let gatehouse = Gatehouse {
            doors: Doors::new(&node.settings, &config.listen, dynamic.rules().as_ref()),
            gates: listeners.iter().map(Gate::new).collect(),
            orders,
        };
        let shared = Arc::new(Shared::new(node, config, mailboxes, journal, start, gatehouse));
        let mut shards: Vec<Vec<Shard>> = deal(shards, &shared);
        listener.introduce(&shared);
        shared.node.set_accesses(shared.doors.rules());
        let control = Control::new(received, Arc::clone(&shared), dynamic);
        let control = thread::Builder::new().name("control".to_owned()).spawn(move || control.run())?;

        let mut acceptor = Acceptor::new(listeners)?;
        acceptor.register(polls[0].registry(), ACCEPT)?;
        let mut acceptor = Some(acceptor);
        let mut threads = Vec::new();
        for (number, poll) in polls.into_iter().enumerate() {
            let shards = std::mem::take(&mut shards[number]);
            let mut runner = Runner::new(number, Arc::clone(&shared), poll, acceptor.take(), shards);
            if number == 0 {
                runner.out.notices.clone_from(&notices);
            }
            let name = format!("runner-{number}");
            // One that fails takes the others along: what it served cannot be served by them.
            let others = Stopper(Arc::clone(&shared));
            let run = move || runner.run().inspect_err(|_| others.stop());
            threads.push(thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(Handle { addresses, stopper: Stopper(shared), threads, control })
    }
}

impl Handle {
    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Something that ends it from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Ends it in good order: Clients get what waits for them and are told, for as long as a few seconds.
    pub fn stop(self) -> io::Result<()> {
        self.stopper.stop();
        self.join()
    }

    /// Waits until it ends.
    pub fn join(self) -> io::Result<()> {
        // All of them, whatever one of them ends with: the store serves the last as well.
        let join =
            |thread: JoinHandle<_>| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let ends: Vec<io::Result<()>> = self.threads.into_iter().map(join).collect();
        let ended = ends.into_iter().collect();
        self.stopper.order(Order::End);
        if let Err(panic) = self.control.join() {
            std::panic::resume_unwind(panic);
        }
        if let Some(disk) = self.stopper.0.journal.disk() {
            disk.close();
        }
        ended
    }
}

impl Stopper {
    /// Tells the node to end in good order; [`Handle::join`] waits for it.
    pub fn stop(&self) {
        self.order(Order::Rest);
        self.0.mailboxes.iter().for_each(|mailbox| mailbox.post(Mail::Stop));
    }

    /// Publishes a line of the log to whoever subscribed to its topic.
    pub fn publish_log(&self, topic: &str, line: &[u8]) {
        self.0.mailboxes[0].post(Mail::LogLine(topic.into(), line.into()));
    }

    /// Has the configuration read from here, now and whenever it changes.
    pub fn reload(&self, source: Box<dyn Source>) {
        self.order(Order::Watch(source));
        self.reload_now();
    }

    /// Has the configuration read again. Whoever connects from here on finds what it says then.
    pub(crate) fn reload_now(&self) {
        self.0.begin_change();
        self.order(Order::Reload);
    }

    pub(crate) fn order(&self, order: Order) {
        // There is nobody to take it once the node has ended.
        let _ = self.0.orders.send(order);
    }
}

fn open_all(config: &Config) -> Result<Vec<Listener>, Error> {
    let mut listeners = Vec::new();
    let mut missing = None;
    for listen in &config.listen {
        let mut options = listen.options.clone();
        options.tcp = config.tcp;
        match Listener::open(&options) {
            Ok(listener) => listeners.push(listener),
            Err(error @ ListenError::NoSuchAddress { .. }) if config.skips_missing_addresses => {
                missing = Some(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match missing {
        _ if !listeners.is_empty() => Ok(listeners),
        Some(error) => Err(error.into()),
        None => Err(Error::Nowhere),
    }
}

/// The shards of each runner.
fn deal(shards: Vec<Shard>, shared: &Shared) -> Vec<Vec<Shard>> {
    let mut dealt: Vec<_> = shared.mailboxes.iter().map(|_| Vec::new()).collect();
    shards.into_iter().for_each(|shard| dealt[shared.runner_of(shard.id())].push(shard));
    dealt
}

/// So that nobody foresees where a hash or a choice falls.
fn seed() -> u64 {
    getrandom::u64().expect("the system has random numbers once it is up")
}
