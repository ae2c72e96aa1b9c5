//! [`Protocol`] on a connection to an [`Endpoint`], blocking. It adds nothing but the socket, the clock and the waiting.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use martlet_packet::{PacketId, Properties, ReasonCode, SubscriptionOptions, Version};

use crate::stream::{self, Stream};
use crate::{ConnectOptions, Connected, Endpoint, Error, Event, Message, Protocol, Received, socket};

/// An MQTT Client.
///
/// Nothing happens behind the caller's back: packets are read, acknowledged and kept alive while a call waits. Who calls
/// nothing for longer than the Keep Alive is taken for dead.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    protocol: Protocol,
    stream: Option<Box<dyn Stream>>,
    /// Why writing failed. What the Server said before may still be read, and says more.
    write_error: Option<io::Error>,
    chunk: Box<[u8]>,
    connected: Connected,
    /// Events that came while another was waited for.
    inbox: VecDeque<Event>,
}

const CHUNK_BYTES: usize = 64 * 1024;
const INBOX_EVENTS_MAX: usize = 10_000;
/// How long a Server has to close the connection after a goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

impl Client {
    /// Connects over TCP to the Server of this name or address, and waits until it accepts.
    pub fn connect(host: &str, port: u16, options: ConnectOptions) -> Result<Self, Error> {
        Self::connect_to(Endpoint::tcp(host, port), options)
    }

    /// Connects to the Server there, and waits until it accepts.
    pub fn connect_to(endpoint: Endpoint, options: ConnectOptions) -> Result<Self, Error> {
        let mut client = Self {
            endpoint,
            protocol: Protocol::new(options, Instant::now())?,
            stream: None,
            write_error: None,
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
            connected: Connected::default(),
            inbox: VecDeque::new(),
        };
        client.reconnect()?;
        Ok(client)
    }

    /// Connects again to the same Server, and waits until it accepts. What was not acknowledged is sent again, as DUP
    /// when the Server kept the Session; else Subscriptions are gone too.
    pub fn reconnect(&mut self) -> Result<&Connected, Error> {
        let timeout = self.protocol.options().answer_timeout;
        self.write_error = None;
        self.stream = Some(socket::connect(&self.endpoint, timeout)?);
        self.protocol.connect(Instant::now());
        self.connected = self.wait_for("CONNACK", |event| match event {
            Event::Connected(connected) => Some(mem::take(connected)),
            _ => None,
        })?;
        Ok(&self.connected)
    }

    /// What the Server said when it accepted.
    pub const fn connected(&self) -> &Connected {
        &self.connected
    }

    /// The Client Identifier, be it ours or chosen by the Server.
    pub fn client_id(&self) -> &str {
        self.protocol.client_id()
    }

    /// The version of the Connection.
    pub const fn version(&self) -> Version {
        self.protocol.options().version
    }

    /// How many Messages of QoS 1 and 2 are not acknowledged to the end.
    pub fn in_flight(&self) -> usize {
        self.protocol.in_flight()
    }

    /// Publishes a Message; waits only for room, not for the acknowledgement. That is told by an
    /// [`Event::Published`] with the identifier returned here; QoS 0 has none.
    pub fn publish(&mut self, message: Message) -> Result<Option<PacketId>, Error> {
        loop {
            match self.protocol.publish(&message) {
                Err(Error::Full) => self.take_in()?,
                Err(error) => return Err(error),
                Ok(packet_id) => {
                    self.flush();
                    return Ok(packet_id);
                }
            }
        }
    }

    /// Waits until everything is written and acknowledged. The events stay to be polled.
    pub fn finish(&mut self) -> Result<(), Error> {
        while self.protocol.in_flight() > 0 || self.has_unwritten() {
            self.take_in()?;
        }
        Ok(())
    }

    /// Subscribes and waits for the answer: a Reason Code for each Topic Filter.
    pub fn subscribe(&mut self, filters: &[(&str, SubscriptionOptions)]) -> Result<Vec<ReasonCode>, Error> {
        let asked = self.start_subscribe(filters, None, Properties::default())?;
        self.wait_for("SUBACK", |event| match event {
            Event::Subscribed { packet_id, reasons } if *packet_id == asked => Some(mem::take(reasons)),
            _ => None,
        })
    }

    /// Asks for Messages, with a Subscription Identifier and User Properties if wanted. The answer is an
    /// [`Event::Subscribed`] with the identifier returned here; Messages may come before it.
    pub fn start_subscribe(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
        subscription_id: Option<u32>,
        properties: Properties<'_>,
    ) -> Result<PacketId, Error> {
        self.protocol.subscribe(filters, subscription_id, properties)
    }

    /// Ends Subscriptions and waits for the answer: a Reason Code for each Topic Filter, in MQTT 5.0.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Vec<ReasonCode>, Error> {
        let asked = self.start_unsubscribe(filters, Properties::default())?;
        self.wait_for("UNSUBACK", |event| match event {
            Event::Unsubscribed { packet_id, reasons } if *packet_id == asked => Some(mem::take(reasons)),
            _ => None,
        })
    }

    /// Ends Subscriptions, with User Properties if wanted. The answer is an [`Event::Unsubscribed`] with the identifier
    /// returned here.
    pub fn start_unsubscribe(
        &mut self,
        filters: &[&str],
        properties: Properties<'_>,
    ) -> Result<PacketId, Error> {
        self.protocol.unsubscribe(filters, properties)
    }

    /// Waits for the next Message, at most so long. Other events are passed over; who wants them polls.
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Received>, Error> {
        let until = Instant::now().checked_add(timeout);
        loop {
            match self.poll_until(until, &[])? {
                Some(Event::Received(received)) => return Ok(Some(received)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Waits for the next event, at most so long; none waits for ever.
    pub fn poll(&mut self, timeout: Option<Duration>) -> Result<Option<Event>, Error> {
        self.poll_or(timeout, &[])
    }

    /// The same, but returns nothing as soon as one of the others can be read.
    pub fn poll_or(
        &mut self,
        timeout: Option<Duration>,
        others: &[BorrowedFd<'_>],
    ) -> Result<Option<Event>, Error> {
        self.poll_until(timeout.and_then(|timeout| Instant::now().checked_add(timeout)), others)
    }

    /// Takes an event that is already here, without reading or writing. So who handles events until there are none has
    /// handled them before their acknowledgements leave.
    pub fn next_event(&mut self) -> Result<Option<Event>, Error> {
        match self.inbox.pop_front() {
            Some(event) => Ok(Some(event)),
            None => self.take_event(),
        }
    }

    /// Says a normal goodbye and closes the connection.
    pub fn disconnect(&mut self) -> Result<(), Error> {
        self.disconnect_with(ReasonCode::NormalDisconnection, Properties::default())
    }

    /// Writes what is left, says goodbye and closes the connection. In MQTT 3.x any other reason than a normal one
    /// closes it without a goodbye, so that the Will is published.
    pub fn disconnect_with(&mut self, reason: ReasonCode, properties: Properties<'_>) -> Result<(), Error> {
        self.protocol.disconnect(reason, properties);
        let until = Instant::now() + self.protocol.options().answer_timeout;
        while self.has_unwritten() && Instant::now() < until {
            self.turn(Some(until), &[])?;
        }
        let Some(mut stream) = self.stream.take() else { return Err(Error::NotConnected) };
        self.protocol.connection_lost();
        linger(&mut *stream, &mut self.chunk);
        Ok(())
    }

    fn poll_until(
        &mut self,
        until: Option<Instant>,
        others: &[BorrowedFd<'_>],
    ) -> Result<Option<Event>, Error> {
        let mut is_over = false;
        loop {
            if let Some(event) = self.next_event()? {
                return Ok(Some(event));
            }
            if is_over {
                return Ok(None);
            }
            // The last turn still takes what is there.
            is_over = self.turn(until, others)? || until.is_some_and(|until| Instant::now() >= until);
        }
    }

    /// Waits for the event that `wanted` takes; keeps the others.
    fn wait_for<T>(
        &mut self,
        awaited: &'static str,
        wanted: impl Fn(&mut Event) -> Option<T>,
    ) -> Result<T, Error> {
        let within = self.protocol.options().answer_timeout;
        let until = Instant::now() + within;
        loop {
            while let Some(mut event) = self.take_event()? {
                match wanted(&mut event) {
                    Some(answer) => return Ok(answer),
                    None => self.keep(event)?,
                }
            }
            if Instant::now() >= until {
                return Err(self.close(Error::Silent { awaited, within }));
            }
            self.turn(Some(until), &[])?;
        }
    }

    /// Waits for the Server once, and keeps what it says.
    fn take_in(&mut self) -> Result<(), Error> {
        self.turn(None, &[])?;
        while let Some(event) = self.take_event()? {
            self.keep(event)?;
        }
        Ok(())
    }

    fn keep(&mut self, event: Event) -> Result<(), Error> {
        if self.inbox.len() >= INBOX_EVENTS_MAX {
            return Err(Error::Unread(self.inbox.len()));
        }
        self.inbox.push_back(event);
        Ok(())
    }

    fn take_event(&mut self) -> Result<Option<Event>, Error> {
        match self.protocol.next_event() {
            Err(error) => Err(self.close(error)),
            event => event,
        }
    }

    /// One round: write, wait, write and read. Says whether one of the others woke us. When the first writing got
    /// anywhere nothing is waited for: it may have been all that the caller wants.
    fn turn(&mut self, until: Option<Instant>, others: &[BorrowedFd<'_>]) -> Result<bool, Error> {
        if let Err(error) = self.protocol.tick(Instant::now()) {
            return Err(self.close(error));
        }
        let now = self.flush().then(Instant::now);
        let writes = self.has_unwritten() && self.write_error.is_none();
        let Some(stream) = &self.stream else { return Err(Error::NotConnected) };
        let reads = self.protocol.wants_bytes() || self.write_error.is_some();
        let has_unread = reads && stream.has_unread();
        let now = if has_unread { Some(Instant::now()) } else { now };
        let until = now.or(until.into_iter().chain(self.protocol.deadline()).min());
        let ready = stream::wait(stream.descriptor(), (reads, writes), others, until).map_err(Error::Lost)?;
        if ready.write {
            self.flush();
        }
        if reads && (ready.read || has_unread) {
            self.fill()?;
        }
        Ok(ready.other)
    }

    fn fill(&mut self) -> Result<(), Error> {
        let Some(stream) = &mut self.stream else { return Err(Error::NotConnected) };
        match stream.read(&mut self.chunk) {
            Ok(Some(bytes)) => self.protocol.receive(&self.chunk[..bytes], Instant::now()),
            Ok(None) => {}
            Err(error) => {
                let cause = self.write_error.take().unwrap_or(error);
                return Err(self.close(Error::Lost(cause)));
            }
        }
        Ok(())
    }

    /// Writes as much as there is room for. Says whether it was anything.
    fn flush(&mut self) -> bool {
        let mut has_written = false;
        let Some(stream) = &mut self.stream else { return has_written };
        while !self.protocol.outgoing().is_empty() && self.write_error.is_none() {
            match stream.write(self.protocol.outgoing()) {
                Ok(Some(bytes)) => {
                    self.protocol.sent(bytes, Instant::now());
                    has_written = true;
                }
                Ok(None) => break,
                Err(error) => self.write_error = Some(error),
            }
        }
        if self.write_error.is_none() {
            self.write_error = stream.flush().err();
        }
        has_written
    }

    /// Whether something waits for room on the connection.
    fn has_unwritten(&self) -> bool {
        !self.protocol.outgoing().is_empty()
            || self.stream.as_ref().is_some_and(|stream| stream.has_unwritten())
    }

    /// The Connection ends with this error; the Server is told if there is something to tell.
    fn close(&mut self, error: Error) -> Error {
        self.flush();
        self.stream = None;
        self.protocol.connection_lost();
        error
    }
}

/// Lets the Server close first: closing with unread bytes would reset the connection, and a reset may overtake the
/// goodbye.
fn linger(stream: &mut dyn Stream, chunk: &mut [u8]) {
    if stream.close().is_err() {
        return;
    }
    let until = Instant::now() + GOODBYE;
    while Instant::now() < until
        && stream::wait(stream.descriptor(), (true, false), &[], Some(until)).is_ok()
        && stream.read(chunk).is_ok()
    {}
}
