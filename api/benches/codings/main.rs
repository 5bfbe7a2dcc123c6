//! What each content coding saves and costs on answers as this server gives them.
//!
//! `cargo bench --package api --bench codings`

use std::time::{Duration, Instant};

use async_compression::Level;
use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Builder;

/// Each coding at each level is measured for so long.
const MEASURED: Duration = Duration::from_millis(400);
const LEVELS: [(&str, &[i32]); 3] =
    [("gzip", &[1, 4, 6, 9]), ("br", &[1, 3, 4, 5, 9]), ("zstd", &[1, 2, 3, 6, 9])];

/// Rows as `json_agg` prints them, of numbers, words that come again, and words that do not.
fn answer(n_rows: u64) -> Vec<u8> {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let rows = (1..=n_rows).map(|id| {
        let (amount, kind, word) = (random() % 100_000, random() % 4, random());
        format!(
            r#"{{"id":{id},"name":"item {word:x}","kind":"{}","amount":{}.{:02},"made_at":"2026-{:02}-{:02}T10:{:02}:00+00:00","note":null}}"#,
            ["open", "paid", "shipped", "returned"][usize::try_from(kind).unwrap_or_default()],
            amount / 100,
            amount % 100,
            1 + random() % 12,
            1 + random() % 28,
            random() % 60,
        )
    });
    format!("[{}]", rows.collect::<Vec<_>>().join(",\n ")).into_bytes()
}

async fn encoded(coding: &str, level: i32, body: &[u8]) -> Vec<u8> {
    let (mut bytes, level) = (Vec::with_capacity(body.len()), Level::Precise(level));
    let outcome = match coding {
        "gzip" => GzipEncoder::with_quality(body, level).read_to_end(&mut bytes).await,
        "br" => BrotliEncoder::with_quality(body, level).read_to_end(&mut bytes).await,
        _ => ZstdEncoder::with_quality(body, level).read_to_end(&mut bytes).await,
    };
    outcome.expect("memory can be read");
    bytes
}

#[expect(clippy::print_stdout, reason = "the figures are this program's data")]
fn main() {
    let runtime = Builder::new_current_thread().build().expect("a runtime can be made");
    println!("| rows | bytes | coding | level | bytes of it | of 100 | us | MB/s |");
    println!("|---|---|---|---|---|---|---|---|");
    for n_rows in [10, 100, 10_000] {
        let body = answer(n_rows);
        for (coding, levels) in LEVELS {
            for &level in levels {
                let length = runtime.block_on(encoded(coding, level, &body)).len();
                let (begun, mut n_runs) = (Instant::now(), 0_u32);
                while begun.elapsed() < MEASURED {
                    runtime.block_on(encoded(coding, level, &body));
                    n_runs += 1;
                }
                let each = begun.elapsed() / n_runs;
                #[expect(clippy::cast_precision_loss, reason = "figures for people")]
                let (share, speed) =
                    (100.0 * length as f64 / body.len() as f64, body.len() as f64 / 1e6 / each.as_secs_f64());
                println!(
                    "| {n_rows} | {} | {coding} | {level} | {length} | {share:.1} | {} | {speed:.0} |",
                    body.len(),
                    each.as_micros()
                );
            }
        }
    }
}
