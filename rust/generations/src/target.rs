/// Where to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The one that was proven last; the one before, when that is served.
    LastGood,
    /// The one that was served before.
    Previous,
    /// This one.
    Generation(u64),
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "last-good" => Ok(Self::LastGood),
            "previous" => Ok(Self::Previous),
            number => number.parse().map(Self::Generation).map_err(|_| {
                format!("`{text}` names no generation; write `last-good`, `previous` or a number of `lockgate generations`")
            }),
        }
    }
}
