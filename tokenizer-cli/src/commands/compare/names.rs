//! Short names of models and corpora.

use std::collections::HashMap;
use std::path::is_separator;

/// Returns the last component of a path.
pub(super) fn short(path: &str) -> &str {
    tail(path, 1)
}

/// Returns the shortest tail of each path that no other path ends in. Repetitions of a path are numbered:
/// ` (2)`, ` (3)`.
pub(super) fn distinct(paths: &[&str]) -> Vec<String> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut names = Vec::new();
    for &path in paths {
        let is_distinct = |&components: &usize| {
            let mut others = paths.iter().filter(|&&other| other != path);
            others.all(|other| tail(other, components) != tail(path, components))
        };
        let all = path.split(is_separator).count();
        let components = (1..all).find(is_distinct);
        let name = components.map_or(path, |components| tail(path, components));
        let times = seen.entry(name).or_default();
        *times += 1;
        names.push(match *times {
            1 => name.to_owned(),
            times => format!("{name} ({times})"),
        });
    }
    names
}

/// Returns the last `components` components of a path. A trailing separator is dropped.
fn tail(path: &str, components: usize) -> &str {
    let trimmed = path.strip_suffix(is_separator).unwrap_or(path);
    let starts = trimmed
        .rmatch_indices(is_separator)
        .map(|(index, _)| index + 1);
    let start = starts.chain([0]).nth(components - 1);
    &trimmed[start.unwrap_or(0)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_short_as_they_can_be() {
        let names = |paths: &[&str]| distinct(paths).join(" ");
        assert_eq!(names(&["x/a.bpe", "x/b.bpe", "c/"]), "a.bpe b.bpe c");
        assert_eq!(
            names(&["x/a/m.json", "x/b/m.json", "m.json"]),
            "a/m.json b/m.json m.json"
        );
        assert_eq!(names(&["y/m", "m", "m", "z/y/m"]), "y/m m m (2) z/y/m");
        assert_eq!(names(&["/", "", "東京/京"]), "/  京");
    }
}
