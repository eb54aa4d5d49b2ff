//! What a translation could not carry over.

/// The most losses that are named.
const MOST: usize = 64;
/// The longest name.
const LONGEST_NAME: usize = 80;
/// The longest value of a field.
const LONGEST_HEADER: usize = 1_024;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It was left out.
    Dropped,
    /// It was sent as something near.
    Changed,
    /// It was not asked for, and the provider demands it.
    Added,
}

impl How {
    /// The word in the header and the event.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Changed => "changed",
            Self::Added => "added",
        }
    }
}

/// One thing that was lost, as the caller named it: `messages.content.cache_control`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What became of it.
    pub how: How,
    /// Its name, without positions in lists.
    pub name: String,
}

/// All that was lost in one call, each name once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    items: Vec<Loss>,
    unnamed: usize,
}

impl Losses {
    /// Left out.
    pub fn dropped(&mut self, name: impl AsRef<str>) {
        self.push(How::Dropped, name.as_ref());
    }

    /// Sent as something near.
    pub fn changed(&mut self, name: impl AsRef<str>) {
        self.push(How::Changed, name.as_ref());
    }

    /// Demanded by the provider.
    pub fn added(&mut self, name: impl AsRef<str>) {
        self.push(How::Added, name.as_ref());
    }

    /// Those of another step of the same call.
    pub fn extend(&mut self, other: &Self) {
        for loss in &other.items {
            self.push(loss.how, &loss.name);
        }
        self.unnamed += other.unnamed;
    }

    fn push(&mut self, how: How, name: &str) {
        let name: String = name.chars().take(LONGEST_NAME).map(plain).collect();
        if self
            .items
            .iter()
            .any(|loss| loss.how == how && loss.name == name)
        {
            return;
        }
        if self.items.len() == MOST {
            self.unnamed += 1;
        } else {
            self.items.push(Loss { how, name });
        }
    }

    /// How much was lost.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len() + self.unnamed
    }

    /// Whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was lost, in the order in which it was met.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.items.iter()
    }

    /// The value of the header: `dropped=top_k changed=tool_choice`. Bounded, and safe in a field whatever names callers wrote.
    #[must_use]
    pub fn header(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        let mut out = String::new();
        let mut left = self.unnamed;
        for loss in &self.items {
            if out.len() + loss.name.len() + 24 > LONGEST_HEADER {
                left += 1;
                continue;
            }
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(loss.how.word());
            out.push('=');
            out.push_str(&loss.name);
        }
        if left > 0 {
            out.push_str(&format!(" and={left}"));
        }
        Some(out)
    }
}

fn plain(letter: char) -> char {
    if letter.is_ascii_alphanumeric() || "_-.".contains(letter) {
        letter
    } else {
        '?'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_callers_cannot_break_a_field() {
        let mut losses = Losses::default();
        losses.dropped("a\r\nset-cookie: x");
        losses.dropped("top_k");
        losses.dropped("top_k");
        losses.changed("tool_choice");
        assert_eq!(
            losses.header().unwrap(),
            "dropped=a??set-cookie??x dropped=top_k changed=tool_choice"
        );
    }

    #[test]
    fn the_header_is_bounded_and_counts_the_rest() {
        let mut losses = Losses::default();
        for n in 0..10_000 {
            losses.dropped(format!("{n}{}", "x".repeat(500)));
        }
        let header = losses.header().unwrap();
        assert!(header.len() <= LONGEST_HEADER, "{}", header.len());
        assert!(header.contains(" and=99"), "{header}");
        assert!(Losses::default().header().is_none());
    }
}
