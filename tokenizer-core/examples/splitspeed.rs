use tokenizer_core::{Pattern, Spans, arch::Tier};
fn main() {
    let only = std::env::var("ONLY").ok();
    let tiers: Vec<Tier> = Tier::available()
        .filter(|t| only.as_deref().is_none_or(|o| o == t.name()))
        .collect();
    for f in std::env::args().skip(1) {
        let t = std::fs::read(&f).unwrap();
        print!("{:28}", f.rsplit('/').next().unwrap());
        for p in ["gpt2", "cl100k", "o200k"] {
            let pat: Pattern = p.parse().unwrap();
            for &tier in &tiers {
                let reps = (60_000_000 / t.len().max(1)).clamp(1, 400);
                let mut best = f64::MAX;
                let mut n = 0;
                let mut sum = 0usize;
                for _ in 0..3 {
                    let s = std::time::Instant::now();
                    for _ in 0..reps {
                        n = 0;
                        let mut spans = Spans::new();
                        let mut sp = pat.split_on(tier, &t);
                        while sp.fill(&mut spans).unwrap() {
                            n += spans.len();
                            sum = sum.wrapping_add(spans.ends()[spans.len() - 1]);
                        }
                    }
                    best = best.min(s.elapsed().as_secs_f64() / reps as f64);
                }
                std::hint::black_box((n, sum));
                print!(" {:6.0}", t.len() as f64 / best / 1e6);
            }
            print!(" |");
        }
        println!();
    }
}
