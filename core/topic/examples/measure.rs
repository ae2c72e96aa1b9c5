//! What the two maps cost in memory and time. Each measurement wants a process of its own, for memory given
//! back is used again:
//!
//! ```sh
//! cargo run --release -p martlet-topic --example measure -- names-by-site
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool that measures reads clock and memory"
)]

use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::Instant;

use martlet_topic::{FilterMap, Limits, NameMap, TopicFilter, TopicName};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MILLION: u64 = 1_000_000;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("names-by-site") => names(|n| format!("site/{}/device/{:05}/temperature", n % 100, n / 100)),
        Some("names-by-device") => names(|n| format!("device/{:012x}/state", scattered(n) >> 16)),
        Some("exact") => exact(|n| format!("device/{:012x}/command", scattered(n) >> 16)),
        Some("wildcards") => wildcards(|n| format!("device/{:012x}/#", scattered(n) >> 16)),
        Some("match") => matching(),
        _ => println!("usage: measure names-by-site | names-by-device | exact | wildcards | match"),
    }
}

/// A million Retained Messages.
fn names(text: impl Fn(u64) -> String) {
    let mut map = NameMap::new(1);
    per_entry("NameMap", || {
        for n in 0..MILLION {
            map.insert(name(&text(n)), value(n));
        }
    });
    per_call("NameMap::get, random", &texts(&text), |text| usize::from(map.get(name(text)).is_some()));
    for text in [
        "site/7/device/+/temperature",
        "site/+/device/00042/+",
        "+/+/+/00042/temperature",
        "device/+/state",
        "#",
    ] {
        per_match(&map, text);
    }
}

/// A million Clients with an exact Subscription each.
fn exact(text: impl Fn(u64) -> String) {
    let mut map = FilterMap::new(1);
    per_entry("FilterMap, exact", || {
        for n in 0..MILLION {
            map.entry_or_insert_with(&filter(&text(n)), || value(n));
        }
    });
    per_call("for_each_match, one found", &texts(&text), |text| count(&map, text));
}

/// A million Clients with a wildcard Subscription each.
fn wildcards(text: impl Fn(u64) -> String) {
    let mut map = FilterMap::new(1);
    per_entry("FilterMap, wildcards", || {
        for n in 0..MILLION {
            map.entry_or_insert_with(&filter(&text(n)), || value(n));
        }
    });
    per_call("for_each_match, one found", &texts(|n| text(n).replace('#', "x")), |text| count(&map, text));
}

/// Ten thousand wildcard filters of three shapes, searched by names of three levels.
fn matching() {
    let mut map = FilterMap::new(1);
    for n in 0..10_000 {
        let text = match n % 3 {
            0 => format!("site{}/+/temperature", n / 3),
            1 => format!("site{}/device{}/#", n / 300, n % 100),
            _ => format!("+/device{}/state", n / 3),
        };
        map.entry_or_insert_with(&filter(&text), || value(n));
    }
    println!("{} filters", map.len());
    let some = texts(|n| {
        format!(
            "site{}/device{}/{}",
            n % 3_333,
            n / 7 % 3_333,
            if n % 2 == 0 { "temperature" } else { "state" }
        )
    });
    per_call("for_each_match, 3 levels", &some, |text| count(&map, text));
    let none = texts(|n| format!("floor{}/lamp{}/on", n % 100, n));
    per_call("for_each_match, nothing found", &none, |text| count(&map, text));
    per_call("TopicName::parse", &some, |text| name(text).as_str().len());
}

fn count(map: &FilterMap<NonZeroU64>, text: &str) -> usize {
    let mut found = 0;
    map.for_each_match(name(text), |_| found += 1);
    found
}

fn per_entry(what: &str, fill: impl FnOnce()) {
    let (before, start) = (resident_bytes(), Instant::now());
    fill();
    let nanoseconds = start.elapsed().as_nanos() / u128::from(MILLION);
    println!("{what}: {} B and {nanoseconds} ns per entry", (resident_bytes() - before) / MILLION);
}

fn per_call(what: &str, texts: &[String], call: impl Fn(&str) -> usize) {
    let start = Instant::now();
    let total: usize = texts.iter().map(|text| call(black_box(text))).sum();
    let nanoseconds = start.elapsed().as_nanos() / texts.len() as u128;
    println!("{what}: {nanoseconds} ns per call, {total} in {} calls", texts.len());
}

fn per_match(map: &NameMap<NonZeroU64>, text: &str) {
    let (filter, mut found, start) = (filter(text), 0_u128, Instant::now());
    map.for_each_match(&filter, |name, _| found += u128::from(!black_box(name).is_empty()));
    let elapsed = start.elapsed();
    println!(
        "for_each_match {text}: {found} found in {elapsed:?}, {} ns each",
        elapsed.as_nanos() / found.max(1)
    );
}

/// Texts to ask with, in an order that caches cannot foresee.
fn texts(text: impl Fn(u64) -> String) -> Vec<String> {
    (0..200_000).map(|n| text(scattered(n) % MILLION)).collect()
}

/// A fixed, wild-looking function of `n`, different for each (the finaliser of SplitMix64).
fn scattered(n: u64) -> u64 {
    let mixed = (n ^ n >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("the second field is a number") * 4096
}

/// As large as a pointer, and never null as those.
fn value(n: u64) -> NonZeroU64 {
    NonZeroU64::MIN.saturating_add(n)
}

fn name(text: &str) -> TopicName<'_> {
    TopicName::parse(text, &Limits::default()).expect("a valid name")
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text, &Limits::default()).expect("a valid filter")
}
