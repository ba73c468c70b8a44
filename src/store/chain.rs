//! The chain of accepted cortes: each link is a SHA-256 over the one before it, so that nobody can leave one out, put one
//! in or change one afterwards without all later links changing. docs/format.md tells how to check it with sha256sum(1).

use serde::{Deserialize, Serialize};

use super::texts::by_hex;
use crate::base::digest::Digest;
use crate::corte::CorteId;

/// A corte's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// 1 for the first; one more than that of the link before.
    pub number: u64,
    /// The link before; 64 zeros for the first.
    #[serde(with = "by_hex")]
    pub before: Digest,
    #[serde(with = "by_hex")]
    pub link: Digest,
}

/// What stands before the first link: 64 zeros.
pub const NONE_BEFORE: Digest = Digest::from_bytes([0; 32]);

/// The link of a corte: SHA-256 over three lines, each with its line feed: the link before in hexadecimal digits, the ID
/// of the corte, the SHA-256 of its SHA256SUMS.
pub fn link(before: &Digest, corte: CorteId, sums: &Digest) -> Digest {
    Digest::of(format!("{before}\n{corte}\n{sums}\n").as_bytes())
}

impl Link {
    /// The link of a corte that comes after `before`, which is the last one; `None` where there is none yet.
    pub fn after(before: Option<Link>, corte: CorteId, sums: &Digest) -> Link {
        let (number, before) = before.map_or((1, NONE_BEFORE), |last| (last.number.saturating_add(1), last.link));
        Link { number, before, link: link(&before, corte, sums) }
    }

    /// The link of a corte, whose own may be lost, among `known` ones. Where it had one of them before it, and the one
    /// behind it or the head remembers so, it gets its old place: the same bytes make the same link. Else it comes last.
    pub fn again(known: &[Link], corte: CorteId, sums: &Digest) -> Link {
        let may_precede = known.iter().copied().map(Some).chain([None]);
        let remembered = |found: &Link| known.iter().any(|one| one.before == found.link || one.link == found.link);
        let mut old = may_precede.map(|before| Link::after(before, corte, sums));
        old.find(remembered).unwrap_or_else(|| {
            let last = known.iter().max_by_key(|link| link.number).copied();
            Link::after(last, corte, sums)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: usize) -> CorteId {
        format!("20260607_{:02}{:02}", n / 60, n % 60).parse().unwrap()
    }

    fn chain(n: usize) -> Vec<Link> {
        let mut chain: Vec<Link> = Vec::new();
        for n in 0..n {
            chain.push(Link::again(&chain, id(n), &Digest::of(&[n as u8])));
        }
        chain
    }

    #[test]
    fn the_text_is_the_documented_one() {
        // printf '%064d\n20260607_2010\n%s\n' 0 $(printf abc | sha256sum | cut -c1-64) | sha256sum
        let first = Link::after(None, "20260607_2010".parse().unwrap(), &Digest::of(b"abc"));
        assert_eq!((first.number, first.before.to_string()), (1, "0".repeat(64)));
        assert_eq!(first.link.to_string(), "d36cd54f1a5e0abe18b670437a5dc499971b569eb5db4e116bd21c52a25ea111");
    }

    proptest! {
        #[test]
        fn what_was_lost_gets_its_old_place_and_what_is_new_the_last(n in 1usize..12, lost in 0usize..12) {
            let whole = chain(n);
            for (at, pair) in whole.windows(2).enumerate() {
                prop_assert_eq!((pair[1].before, pair[1].number), (pair[0].link, at as u64 + 2));
            }
            let lost = lost % n;
            let mut known = whole.clone();
            let was = known.remove(lost);
            // The head remembers the last link even where its entry is lost.
            known.extend((lost + 1 == n).then_some(was));
            prop_assert_eq!(Link::again(&known, id(lost), &Digest::of(&[lost as u8])), was);
            let new = Link::again(&known, id(n), &Digest::of(b"new"));
            prop_assert_eq!((new.before, new.number), (whole[n - 1].link, n as u64 + 1));
        }
    }
}
