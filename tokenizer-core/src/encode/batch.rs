//! Many texts at once: ids one behind the other, on several threads.

use super::{EncodeError, Encoder};
use crate::token::TokenId;

/// The ids of several texts in one array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// All ids, text after text.
    pub ids: Vec<TokenId>,
    /// Where each text's ids begin, and at the end where the last one's end: one more than texts.
    pub offsets: Vec<usize>,
}

impl Batch {
    /// The ids of each text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[TokenId]> {
        self.offsets
            .windows(2)
            .map(|span| &self.ids[span[0]..span[1]])
    }
}

/// One of several texts could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("text {text}: {error}")]
#[non_exhaustive]
pub struct BatchError {
    /// Which text, from 0.
    pub text: usize,
    /// Why.
    #[source]
    pub error: EncodeError,
}

impl Encoder {
    /// Encodes every text as [`Encoder::encode`] does, on up to `threads` threads (0 means 1).
    /// The result is the same for any number of threads.
    ///
    /// # Errors
    /// At the first text that fails.
    pub fn encode_batch<T: AsRef<[u8]> + Sync>(
        &self,
        texts: &[T],
        threads: usize,
    ) -> Result<Batch, BatchError> {
        let groups = groups(texts);
        let encode = |group: &std::ops::Range<usize>| self.encode_group(texts, group.clone());
        #[cfg(feature = "parallel")]
        let encoded = parallel_map(&groups, threads, encode);
        #[cfg(not(feature = "parallel"))]
        let encoded: Vec<_> = {
            let _ = threads;
            groups.iter().map(encode).collect()
        };
        let mut batch = Batch {
            ids: Vec::new(),
            offsets: Vec::with_capacity(texts.len() + 1),
        };
        batch.offsets.push(0);
        for group in encoded {
            let group = group?;
            let base = batch.ids.len();
            batch
                .offsets
                .extend(group.offsets[1..].iter().map(|end| base + end));
            if base == 0 {
                batch.ids = group.ids;
            } else {
                batch.ids.extend_from_slice(&group.ids);
            }
        }
        Ok(batch)
    }

    fn encode_group<T: AsRef<[u8]>>(
        &self,
        texts: &[T],
        group: std::ops::Range<usize>,
    ) -> Result<Batch, BatchError> {
        let mut batch = Batch {
            ids: Vec::new(),
            offsets: vec![0],
        };
        for number in group {
            self.encode_into(texts[number].as_ref(), &mut batch.ids)
                .map_err(|error| BatchError {
                    text: number,
                    error,
                })?;
            batch.offsets.push(batch.ids.len());
        }
        Ok(batch)
    }
}

/// Consecutive texts in groups of at least this many bytes: what a thread takes at a time.
const GROUP_BYTES: usize = 1 << 16;

fn groups<T: AsRef<[u8]>>(texts: &[T]) -> Vec<std::ops::Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (number, text) in texts.iter().enumerate() {
        bytes += text.as_ref().len();
        if bytes >= GROUP_BYTES {
            groups.push(start..number + 1);
            (start, bytes) = (number + 1, 0);
        }
    }
    if start < texts.len() {
        groups.push(start..texts.len());
    }
    groups
}

/// Maps `items` on several threads, each taking the next item that is left; results are in order.
#[cfg(feature = "parallel")]
fn parallel_map<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    map: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.iter().map(map).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            match items.get(number) {
                Some(item) => done.push((number, map(item))),
                None => return done,
            }
        }
    };
    let mut done = std::thread::scope(|scope| {
        // With fewer threads than wanted it takes longer, no more.
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).map_while(spawn).collect();
        let mut done = work();
        for other in others {
            done.extend(
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        done
    });
    done.sort_unstable_by_key(|&(number, _)| number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merges::Merges;
    use crate::model::Model;
    use crate::split::{Gaps, Pattern, PatternName};

    #[test]
    fn threads_change_nothing() {
        let model = Model::trained(
            Pattern::named(PatternName::Cl100k),
            Merges::trained(&[crate::Pair::new(97, 98)]).unwrap(),
            &[] as &[&str],
        );
        let encoder = Encoder::new(model.unwrap());
        let texts: Vec<String> = (0..500)
            .map(|n| "abc ab! ".repeat(if n % 97 == 0 { 20_000 } else { n % 13 }))
            .collect();
        let one = encoder.encode_batch(&texts, 1).unwrap();
        assert_eq!(one.offsets.len(), texts.len() + 1);
        for (text, ids) in texts.iter().zip(one.iter()) {
            assert_eq!(encoder.encode(text.as_bytes()).unwrap(), ids);
        }
        for threads in [0, 2, 3, 8] {
            assert_eq!(encoder.encode_batch(&texts, threads).unwrap(), one);
        }
        let none = encoder.encode_batch(&[] as &[&str], 2).unwrap();
        assert_eq!((none.ids.len(), none.offsets), (0, vec![0]));
    }

    #[test]
    fn the_first_text_that_fails_is_named() {
        let bomb = Pattern::regex(r"(?:a|a)+(?=c)|.", Gaps::Keep).unwrap();
        let encoder =
            Encoder::new(Model::trained(bomb, Merges::default(), &[] as &[&str]).unwrap());
        let mut texts = vec!["fine".repeat(20_000); 40];
        texts[7] = "a".repeat(64);
        texts[30] = "a".repeat(64);
        for threads in [1, 4] {
            assert_eq!(encoder.encode_batch(&texts, threads).unwrap_err().text, 7);
        }
    }
}
