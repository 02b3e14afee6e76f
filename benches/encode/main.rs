//! The compiled encoder against apache-avro's serde encoder, on the same payment records.

#![expect(clippy::expect_used, reason = "a benchmark stops at the first surprise")]
#![expect(clippy::cast_possible_truncation, reason = "random words are cut")]

mod payment;

use apache_avro::schema::ResolvedSchema;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidegate::encode::avro::{Encoder, Scratch};

use apache_avro::write_avro_datum_ref;

fn encode(criterion: &mut Criterion) {
    let payment::Sample { schema, fill, frame, rows } = payment::sample();
    let encoder = Encoder::compile(&schema, &fill).expect("the fills fit the schema");
    let resolved = ResolvedSchema::new(&schema).expect("the schema refers to what it defines");
    let mut out = Vec::with_capacity(1 << 20);
    let mut ends = Vec::with_capacity(rows.len());
    let mut scratch = Scratch::default();

    encoder.encode(&frame, &mut scratch, &mut out, &mut ends).expect("all values are in range");
    let ours = out.clone();
    out.clear();
    for row in &rows {
        let written = write_avro_datum_ref(&schema, resolved.get_names(), row, &mut out);
        written.expect("the struct fits the schema");
    }
    assert_eq!(ours, out, "both sides must write the same bytes");

    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(rows.len() as u64));
    let bytes = ours.len() / rows.len();
    group.bench_function(BenchmarkId::new("tidegate", bytes), |bencher| {
        bencher.iter(|| {
            out.clear();
            ends.clear();
            encoder
                .encode(&frame, &mut scratch, &mut out, &mut ends)
                .expect("all values are in range");
            out.len()
        });
    });
    group.bench_function(BenchmarkId::new("apache-avro", bytes), |bencher| {
        bencher.iter(|| {
            out.clear();
            for row in &rows {
                let written = write_avro_datum_ref(&schema, resolved.get_names(), row, &mut out);
                written.expect("the struct fits the schema");
            }
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
