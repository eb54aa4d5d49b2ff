//! Names of things.

/// Whether `id` can name a thing: 1 to 128 letters, digits, `-`, `_` or `.`, starting with a letter or digit.
pub fn check_id(id: &str) -> Result<(), String> {
    let starts_well = id.starts_with(|c: char| c.is_ascii_alphanumeric());
    let all_well = id
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if starts_well && all_well && id.len() <= 128 {
        return Ok(());
    }
    Err(format!(
        "`{id}` is not a name; write letters, digits, `-`, `_` or `.`, at most 128, starting with a letter or digit"
    ))
}
