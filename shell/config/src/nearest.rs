//! The name somebody probably meant.

/// The one of `names` nearest to what was written, if one is near.
pub(crate) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody means a key by a longer word, and the distance takes time of both lengths.
    if written.len() > 64 {
        return None;
    }
    let allowed = (written.chars().count() / 3).max(1);
    let near = names.into_iter().filter(|name| !name.is_empty());
    let near = near.map(|name| (distance(written, name), name)).filter(|(distance, _)| *distance <= allowed);
    near.min().map(|(_, name)| name)
}

/// Letters to put in, take out, change or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = last[j] + usize::from(x != *y);
            let mut best = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if j > 0 && previous == Some(*y) && b[j - 1] == x {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
        previous = Some(x);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        assert_eq!(distance("listener", "listener"), 0);
        assert_eq!(distance("lsitener", "listener"), 1);
        assert_eq!(distance("listner", "listener"), 1);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn only_what_is_near_is_meant() {
        let names = ["listener", "log_dest", "log_type"];
        assert_eq!(nearest("listner", names), Some("listener"));
        assert_eq!(nearest("log_tpye", names), Some("log_type"));
        assert_eq!(nearest("bananas", names), None);
        assert_eq!(nearest(&"x".repeat(100_000), names), None);
    }
}
