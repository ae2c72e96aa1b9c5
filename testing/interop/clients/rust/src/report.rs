//! Result lines: one JSON object a line on standard output, nothing else goes there.

use serde_json::json;
use std::fmt::Debug;
use std::time::Instant;

pub type Outcome = Result<(), String>;

pub fn client(name: &str) {
    println!("{}", json!({ "client": name }));
}

/// One check: it passes unless its body ends in an error.
pub async fn check(name: &str, body: impl Future<Output = Outcome>) {
    let start = Instant::now();
    let outcome = body.await;
    let ms = (start.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
    match outcome {
        Ok(()) => println!("{}", json!({ "check": name, "ok": true, "ms": ms })),
        Err(detail) => println!("{}", json!({ "check": name, "ok": false, "ms": ms, "detail": detail })),
    }
}

pub fn expect<T: PartialEq + Debug>(what: &str, actual: T, wanted: T) -> Outcome {
    if actual == wanted {
        return Ok(());
    }
    Err(format!("{what}: wanted {wanted:?}, got {actual:?}"))
}
