//! What goes on failing for the same reason is told once: the loop turns several times a second, and a log is not bounded.

/// Why something fails, as it was told last.
#[derive(Debug, Default)]
pub struct News(Option<String>);

impl News {
    /// Whether nobody was told of this yet.
    pub fn is(&mut self, why: &str) -> bool {
        let is_news = self.0.as_deref() != Some(why);
        if is_news {
            self.0 = Some(why.to_owned());
        }
        is_news
    }

    /// It works: the next failure is news, whatever its reason.
    pub fn over(&mut self) {
        self.0 = None;
    }
}
