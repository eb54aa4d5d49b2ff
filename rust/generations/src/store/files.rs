//! The files of generations: their names, and what stands in one.

use std::path::{Path, PathBuf};

use crate::bundle::{Bundle, MAX_BUNDLE_BYTES};
use crate::disk::{Disk, write_whole};
use crate::sealed::{seal, unseal};

const PREFIX: &str = "generation-";

/// The name of a generation's file.
pub fn name(generation: u64) -> String {
    format!("{PREFIX}{generation:020}")
}

/// The generation of a file of that name.
pub fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// Writes a bundle with the folder of its secrets, which stands in the first line.
pub fn write(
    disk: &dyn Disk,
    folder: &Path,
    bundle: &Bundle,
    secrets: &Path,
) -> std::io::Result<()> {
    let secrets = serde_json::to_string(secrets)?;
    let content = seal(format!("{secrets}\n{}\n", bundle.text()).as_bytes());
    write_whole(disk, folder, &name(bundle.generation()), &content)
}

/// A bundle as it was written, and the folder of its secrets; else what is wrong with the file.
pub fn read(disk: &dyn Disk, folder: &Path, generation: u64) -> Result<(Bundle, PathBuf), String> {
    // The folder of the secrets comes on top.
    const MOST: u64 = MAX_BUNDLE_BYTES as u64 + 65_536;
    let sealed = disk
        .read(&folder.join(name(generation)), MOST)
        .map_err(|error| error.to_string())?;
    let content = unseal(&sealed).ok_or("its checksum does not fit")?;
    let at = content
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or("it has one line only")?;
    let (secrets, bundle) = content.split_at(at);
    let secrets = serde_json::from_slice(secrets).map_err(|error| error.to_string())?;
    let bundle = Bundle::read(bundle.trim_ascii()).map_err(|nack| nack.to_string())?;
    if bundle.generation() == generation {
        Ok((bundle, secrets))
    } else {
        Err("it has another number inside".to_owned())
    }
}
