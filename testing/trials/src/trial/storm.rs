//! Ten thousand clients come back within one second, after they were cut off and after the broker was restarted.
//!
//! The rule: served means CONNACK and then PINGRESP; a connection that is refused, closed or left waiting is not served.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use martlet_witness::crowd::{Crowd, Event};
use martlet_witness::report::Report;
use martlet_witness::wire::{Connect, PINGREQ, kind};
use martlet_witness::{Broker, percentile};

use crate::Setup;

const CLIENTS: usize = 10_000;
/// Within this all of them knock; a slower tool has not tried the broker.
const KNOCKING_MAX: Duration = Duration::from_secs(1);
/// Who is not served by then never will be.
const SERVED_MAX: Duration = Duration::from_secs(30);
/// Between knocks answers are read, as ten thousand machines would, but only while the knocks are ahead of this pace.
const PACE: Duration = Duration::from_micros(75);

pub(crate) fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    let broker = Broker::start(&setup.program)?;
    let address = broker.address();
    let mut crowd = Crowd::new(address)?;

    report.part("first");
    crowd.come_from(2);
    let first = wave(&mut crowd, report)?;
    report.part("cut off");
    for number in first.clone() {
        if number % 2 == 0 { crowd.close(number) } else { crowd.reset(number) }
    }
    crowd.come_from(3);
    wave(&mut crowd, report)?;
    report.part("restarted");
    broker.stop()?.judge(report);
    await_all_closed(&mut crowd)?;
    let broker = Broker::start_on(&setup.program, address.port())?;
    crowd.come_from(4);
    wave(&mut crowd, report)?;
    drop(crowd);
    broker.stop()?.judge(report);
    Ok(())
}

/// All clients connect at once; returns their numbers in the crowd.
fn wave(crowd: &mut Crowd, report: &mut Report) -> Result<std::ops::Range<usize>> {
    let started = Instant::now();
    let mut wave = Wave::default();
    for client in 0..CLIENTS {
        let is_ahead = started.elapsed() < PACE * u32::try_from(client)?;
        let number = crowd.open()?;
        wave.base.get_or_insert(number);
        wave.knocked.push(Instant::now());
        crowd.send(number, &Connect::new(&format!("storm-{client}")).bytes());
        if is_ahead {
            wave.turn(crowd, Instant::now())?;
        }
    }
    let knocking = started.elapsed();
    let deadline = started + SERVED_MAX;
    while wave.served.len() + wave.refused < CLIENTS && Instant::now() < deadline {
        wave.turn(crowd, deadline)?;
    }
    let all = started.elapsed();

    let served = wave.served.len();
    report.duration("knocked within", knocking);
    report.count("served", served);
    report.duration("all served after", all);
    report.duration("p99 of one", percentile(&mut wave.served, 99));
    report.require(knocking <= KNOCKING_MAX, || {
        format!("this tool needed {knocking:?} to connect: no storm was tried")
    });
    report.require(served == CLIENTS, || {
        format!(
            "{served} of {CLIENTS} served, {} turned away, the others waiting after {SERVED_MAX:?}",
            wave.refused
        )
    });
    let base = wave.base.unwrap_or_default();
    Ok(base..base + CLIENTS)
}

/// One wave of clients on its way.
#[derive(Default)]
struct Wave {
    /// The first client's number in the crowd.
    base: Option<usize>,
    knocked: Vec<Instant>,
    served: Vec<Duration>,
    refused: usize,
}

impl Wave {
    fn turn(&mut self, crowd: &mut Crowd, deadline: Instant) -> Result<()> {
        for (number, event) in crowd.turn(deadline)? {
            // Word of the last wave's end may still come in.
            let Some(knocked) =
                number.checked_sub(self.base.unwrap_or(0)).and_then(|client| self.knocked.get(client))
            else {
                continue;
            };
            match event {
                Event::Packet(packet) if packet.is_welcome() => crowd.send(number, &PINGREQ),
                Event::Packet(packet) if packet.kind == kind::PINGRESP => self.served.push(knocked.elapsed()),
                Event::Packet(_) => crowd.close(number),
                Event::Opened => {}
                Event::Closed(_) => self.refused += 1,
            }
        }
        Ok(())
    }
}

fn await_all_closed(crowd: &mut Crowd) -> Result<()> {
    let deadline = Instant::now() + SERVED_MAX;
    while crowd.open_count() > 0 {
        ensure!(Instant::now() < deadline, "connections of a broker that has ended stay open");
        crowd.turn(deadline)?;
    }
    Ok(())
}
