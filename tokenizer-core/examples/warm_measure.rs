use std::sync::Arc;
#[derive(Clone, Copy)]
struct Instant(u64);
#[repr(C)]
struct Ts {
    s: i64,
    n: i64,
}
unsafe extern "C" {
    fn clock_gettime(id: i32, ts: *mut Ts) -> i32;
}
impl Instant {
    fn now() -> Self {
        let mut t = Ts { s: 0, n: 0 };
        unsafe {
            clock_gettime(3, &mut t);
        }
        Instant(t.s as u64 * 1_000_000_000 + t.n as u64)
    }
    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(Instant::now().0 - self.0)
    }
}
use tokenizer_core::format::native;
use tokenizer_core::*;

fn median(v: &mut Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

fn main() {
    let a: Vec<String> = std::env::args().collect();
    let n: usize = a[3].parse().unwrap();
    let pattern: Pattern = "cl100k".parse().unwrap();
    let model = tokenizer_core::corpus::load_model(a[1].as_ref(), Some(pattern.clone())).unwrap();
    let text = std::fs::read(&a[2]).unwrap();
    let mut mid = text.len() / 2;
    while text[mid] & 0xC0 == 0x80 {
        mid += 1
    }
    let (first, second) = text.split_at(mid);
    for (name, warm) in [("same", &text[..]), ("other half", second)] {
        let words = count_pieces([warm], &pattern, &CountOptions::default()).unwrap();
        let enc = Encoder::new(model.clone());
        let t = Instant::now();
        let known = most_frequent(&words, &enc, n);
        let tmf = t.elapsed();
        let plain = native::write(&model);
        let with = native::write(&model.clone().with_known_pieces(known.clone()).unwrap());
        println!(
            "{name}: {} words, {} known, most_frequent {:?}; bytes {} {}",
            words.len(),
            known.len(),
            tmf,
            plain.len(),
            with.len()
        );
        let sentence = b"The quick brown fox jumps over the unbelievably lazy dogs, twice.\n";
        let mb = &first[..1 << 20.min(first.len())];
        // 0 plain, 1 with (lazy), 2 proven
        let mut loads = [vec![], vec![], vec![]];
        let mut sent = [vec![], vec![], vec![]];
        let mut whole = [vec![], vec![], vec![]];
        let mut mbs = [vec![], vec![], vec![]];
        let mut check = vec![];
        let rounds: usize = a[4].parse().unwrap();
        for _ in 0..rounds {
            for k in 0..3 {
                let bytes = if k == 0 { &plain } else { &with };
                let t = Instant::now();
                let m = native::read(bytes).unwrap();
                let m = Arc::new(if k == 2 { m.trust_known_pieces() } else { m });
                let e = Encoder::new(m.clone());
                loads[k].push(t.elapsed().as_secs_f64() * 1e3);
                std::hint::black_box(e.encode(sentence).unwrap());
                sent[k].push(t.elapsed().as_secs_f64() * 1e3);
                if k == 2 {
                    let t = Instant::now();
                    e.check_known_pieces().unwrap();
                    check.push(t.elapsed().as_secs_f64() * 1e3);
                }
                for (part, v) in [(mb, &mut mbs), (first, &mut whole)] {
                    let e = Encoder::new(if k == 2 {
                        m.clone()
                    } else {
                        Arc::new(native::read(bytes).unwrap())
                    });
                    let t = Instant::now();
                    std::hint::black_box(e.encode(part).unwrap());
                    v[k].push(t.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        for (what, v) in [
            ("load", &mut loads),
            ("load+sentence", &mut sent),
            ("first MB", &mut mbs),
            ("half file", &mut whole),
        ] {
            let p = v.clone();
            let mut r1: Vec<f64> = p[1].iter().zip(&p[0]).map(|(a, b)| a / b).collect();
            let mut r2: Vec<f64> = p[2].iter().zip(&p[0]).map(|(a, b)| a / b).collect();
            let mins: Vec<f64> = p
                .iter()
                .map(|v| v.iter().copied().fold(f64::MAX, f64::min))
                .collect();
            println!(
                "  min {:.3} {:.3} {:.3}  {what:14} plain {:.3} ms, lazily {:.3} ({:.3}), proven {:.3} ({:.3})",
                mins[0],
                mins[1],
                mins[2],
                median(&mut v[0]),
                median(&mut v[1]),
                median(&mut r1),
                median(&mut v[2]),
                median(&mut r2)
            );
        }
        println!("  check {:.3} ms", median(&mut check));
    }
}
