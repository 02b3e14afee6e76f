//! quick
use std::sync::Arc;
use tidegate::config::{ModelSource, Overrides};
use tidegate::stream::{EventStream, Options};
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let c = tidegate::config::read(&ModelSource::named(&path), &Overrides::default(), &|_| None);
    let c = match c { Ok(c) => c, Err(e) => { println!("{}", e.render(false)); return } };
    let t0 = std::time::Instant::now();
    let plan = tidegate::plan::Plan::compile(&c.model, &tidegate::plan::Inputs { now_us: 1_772_409_600_000_000, ..Default::default() });
    let plan = match plan { Ok(p) => Arc::new(p), Err(m) => { for m in m { let t = c.source.place(&m.span); println!("{:?}: {} ({:?})", t, m.what, m.help) } return } };
    println!("plan {:?}; columns {}, ops {}", t0.elapsed(), plan.streams[0].compiled.program.columns, plan.streams[0].compiled.program.operations.len());
    let seconds: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let threads: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let t0 = std::time::Instant::now();
    let mut s = EventStream::start(Arc::clone(&plan), Options { window_us: 0..seconds * 1_000_000, threads, digest: std::env::args().nth(4).is_some(), ..Options::default() }).unwrap();
    let mut n = 0; let mut bytes = 0; let mut d = tidegate::stream::digest::Digest::default();
    let mut first = None;
    while let Some(b) = s.next_blocking() { let b = b.unwrap(); n += b.records.len(); bytes += b.arena.len(); if let Some(x) = b.digest { d.add(x) } if first.is_none() { first = Some(b) } }
    let e = t0.elapsed();
    println!("{n} events {:.0} B each, {:.3} M/s, digest {d}", bytes as f64 / n as f64, n as f64 / e.as_secs_f64() / 1e6);
    let b = first.unwrap();
    for r in b.records.iter().take(3) {
        let v = apache_avro::from_avro_datum(&plan.streams[0].schema, &mut &b.arena[r.value_range()], None).unwrap();
        println!("{} {:?}", String::from_utf8_lossy(&b.arena[r.key_range()]), v);
    }
}
