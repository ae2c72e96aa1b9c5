//! A set of sequence numbers.
//!
//! The rule: numbers begin at 0 and have few gaps; a bit each is then the smallest book there is.

/// A set of numbers.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    count: u64,
}

impl Bits {
    /// Adds `number`; says whether it is new.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let (word, mask) = place(number);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & mask == 0;
        self.words[word] |= mask;
        self.count += u64::from(is_new);
        is_new
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The numbers that are not in `other`.
    pub(crate) fn missing_in<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u64> + 'a {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut left = word & !other.words.get(index).copied().unwrap_or(0);
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(index as u64 * 64 + u64::from(bit))
            })
        })
    }
}

fn place(number: u64) -> (usize, u64) {
    let word = usize::try_from(number / 64).expect("fewer messages than a machine has addresses");
    (word, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_in_order() {
        let (mut all, mut some) = (Bits::default(), Bits::default());
        for number in [0, 1, 63, 64, 200] {
            assert!(all.insert(number));
            assert!(!all.insert(number));
        }
        some.insert(1);
        some.insert(64);
        some.insert(999);
        assert_eq!(all.missing_in(&some).collect::<Vec<_>>(), [0, 63, 200]);
        assert_eq!(some.missing_in(&all).collect::<Vec<_>>(), [999]);
        assert_eq!(all.count(), 5);
    }
}
