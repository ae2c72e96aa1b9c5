//! `cargo xtask powercut`: power cuts by the million.
//!
//! The rule: a run says the seed of each history that breaks a promise, and that seed alone brings it back.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use martlet_powercut::{AtRest, Chance, Commit, Failure, any_history, frames};
use parking_lot::Mutex;

/// Cut the power of simulated disks under the real log, and see whether every promise is kept.
#[derive(Parser)]
#[command(name = "cargo xtask powercut", bin_name = "cargo xtask powercut")]
struct Arguments {
    /// Ends of lives to try, at least.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    cuts: u64,
    /// The first history. Each has its own seed, one after the other.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Live this one history only, as a failure named it.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["cuts", "seed"])]
    history: Option<u64>,
    /// Flip so many single bits of stores at rest instead.
    #[arg(long, value_name = "N", conflicts_with_all = ["cuts", "history"])]
    flips: Option<u64>,
    /// Histories lived at the same time; as many as there are processors unless told otherwise.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// What all threads share.
struct Run {
    wanted: u64,
    next: AtomicU64,
    cuts: AtomicU64,
    failures: Mutex<Vec<Failure>>,
}

thread_local! {
    /// The history that is lived.
    static HISTORY: Cell<u64> = const { Cell::new(0) };
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    name_histories_that_panic();
    if let Some(seed) = arguments.history {
        return one(seed);
    }
    if let Some(flips) = arguments.flips {
        return flip(flips, arguments.seed);
    }
    let began = Instant::now();
    let run = Run {
        wanted: arguments.cuts,
        next: AtomicU64::new(arguments.seed),
        cuts: AtomicU64::new(0),
        failures: Mutex::new(Vec::new()),
    };
    let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    std::thread::scope(|scope| {
        for _ in 0..jobs.unwrap_or(1) {
            scope.spawn(|| run.work());
        }
        run.show_progress();
    });
    let histories = run.next.load(Ordering::Relaxed) - arguments.seed;
    let failures = run.failures.into_inner();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} cuts in {histories} histories from seed {} on, {:.0} s: {}",
        run.cuts.load(Ordering::Relaxed),
        arguments.seed,
        began.elapsed().as_secs_f64(),
        if failures.is_empty() {
            "every promise was kept".into()
        } else {
            format!("{} broken promises", failures.len())
        }
    )?;
    for failure in &failures {
        writeln!(out, "\n{failure}\nto see it again: cargo xtask powercut --history {}", failure.seed)?;
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A check inside of what is tried may be the first to notice.
fn name_histories_that_panic() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let seed = HISTORY.get();
        let _ = writeln!(std::io::stderr(), "\nto see it again: cargo xtask powercut --history {seed}");
        usual(panic);
    }));
}

fn one(seed: u64) -> anyhow::Result<ExitCode> {
    HISTORY.set(seed);
    let mut out = std::io::stdout();
    match any_history(seed, &mut || {}) {
        Ok(cuts) => {
            writeln!(out, "history {seed}: {cuts} cuts, every promise was kept")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            writeln!(out, "{failure}\n\nIts batches:")?;
            for (count, commit) in failure.commits.iter().enumerate() {
                let Commit { batch, position, submitted, acknowledged } = commit;
                let (shard, need) = (batch.shard.index(), batch.need);
                writeln!(
                    out,
                    "{count} at position {}, of shard {shard}, {need:?}, submitted after {submitted} steps, acknowledged after {acknowledged:?}",
                    position.0
                )?;
                for record in &batch.records {
                    writeln!(out, "    {record:?}")?;
                }
            }
            writeln!(out, "\nThe disk:")?;
            for line in frames(&failure.broken.disk) {
                writeln!(out, "{line}")?;
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Flips of one store, before it is another's turn.
const FLIPS_OF_A_STORE: u64 = 1000;

/// Flips bits of stores at rest, segments and checkpoints and all: each must be refused, or change nothing.
fn flip(wanted: u64, seed: u64) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    let (mut store, mut chance) = (AtRest::new(seed), Chance::new(seed));
    let mut refused = 0;
    for done in 0..wanted {
        let of_store = seed + done / FLIPS_OF_A_STORE;
        if done > 0 && done % FLIPS_OF_A_STORE == 0 {
            (store, chance) = (AtRest::new(of_store), Chance::new(of_store));
        }
        let bit = chance.below(store.bits());
        match store.check(&store.flipped(bit), true) {
            Ok(opened) => refused += u64::from(!opened),
            Err(broken) => {
                writeln!(out, "store {of_store}, bit {bit}: {}", broken.what)?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let harmless = wanted - refused;
    writeln!(
        out,
        "{wanted} bits flipped from store {seed} on: {refused} refused, {harmless} harmless, none served or skipped"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// So many broken promises are enough.
const FAILURES: usize = 5;

impl Run {
    fn work(&self) {
        while !self.is_over() {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            HISTORY.set(seed);
            let tick = &mut || {
                self.cuts.fetch_add(1, Ordering::Relaxed);
            };
            if let Err(failure) = any_history(seed, tick) {
                self.failures.lock().push(failure);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.cuts.load(Ordering::Relaxed) >= self.wanted || self.failures.lock().len() >= FAILURES
    }

    /// A bar that grows, where somebody sees it.
    fn show_progress(&self) {
        const WIDTH: u64 = 40;
        let mut out = std::io::stderr();
        let began = Instant::now();
        while out.is_terminal() && !self.is_over() {
            let cuts = self.cuts.load(Ordering::Relaxed).min(self.wanted);
            let done = (cuts * WIDTH / self.wanted.max(1)).min(WIDTH);
            let bar: String = (0..WIDTH).map(|at| if at < done { '█' } else { '░' }).collect();
            let rate = cuts as f64 / began.elapsed().as_secs_f64().max(0.001);
            let left = (self.wanted - cuts) as f64 / rate.max(1.0);
            let _ = write!(out, "\r{bar} {cuts} of {} cuts, {rate:.0}/s, {left:.0} s left   ", self.wanted);
            std::thread::sleep(Duration::from_millis(200));
        }
        if out.is_terminal() {
            let _ = write!(out, "\r\x1b[K");
        }
    }
}
