//! The pieces of a message of a chat completions request.

use serde_json::Value;

use crate::failure::Failure;
use crate::json::Fields;
use crate::model::{Media, MediaKind, Part, Source, Text};
use crate::write::source_of_url;

/// Reads a piece; one that this crate does not know is kept as it is.
pub(super) fn read_part(part: Value, place: String) -> Result<Part, Failure> {
    if let Value::String(text) = part {
        return Ok(Part::text(text));
    }
    let whole = part.as_object().cloned().unwrap_or_default();
    let mut fields = Fields::of(part, place)?;
    let media = |kind, source, detail, name, extra| {
        Part::Media(Media {
            kind,
            source,
            detail,
            name,
            extra,
        })
    };
    match fields.needed_text("type")?.as_str() {
        "text" => Ok(Part::Text(Text {
            text: fields.needed_text("text")?,
            signature: None,
            extra: fields.rest(),
        })),
        "refusal" => Ok(Part::Refusal(fields.needed_text("refusal")?)),
        "image_url" => {
            let (url, detail) = match fields.take("image_url") {
                // Mistral's callers write the address alone.
                Some(Value::String(url)) => (url, None),
                Some(Value::Object(image)) => {
                    let mut image = Fields::new(image, fields.at("image_url"));
                    (image.needed_text("url")?, image.text("detail")?)
                }
                _ => {
                    let place = fields.at("image_url");
                    return Err(Failure::invalid(
                        place.clone(),
                        format!("`{place}` is missing"),
                    ));
                }
            };
            Ok(media(
                MediaKind::Image,
                source_of_url(url),
                detail,
                None,
                fields.rest(),
            ))
        }
        "file" => {
            let Some(mut file) = fields.fields("file")? else {
                return Ok(Part::Other(whole));
            };
            let name = file.text("filename")?;
            let source = match (file.text("file_id")?, file.text("file_data")?) {
                (Some(id), _) => Source::File(id),
                (None, Some(data)) => match source_of_url(data) {
                    Source::Url { url, .. } => Source::Data {
                        media_type: "application/pdf".to_owned(),
                        data: url,
                    },
                    data => data,
                },
                _ => return Ok(Part::Other(whole)),
            };
            Ok(media(
                MediaKind::Document,
                source,
                None,
                name,
                fields.rest(),
            ))
        }
        "input_audio" => {
            let Some(mut audio) = fields.fields("input_audio")? else {
                return Ok(Part::Other(whole));
            };
            let data = audio.needed_text("data")?;
            let format = audio.text("format")?.unwrap_or_default();
            let media_type = if format == "mp3" {
                "audio/mpeg".to_owned()
            } else {
                format!("audio/{format}")
            };
            Ok(media(
                MediaKind::Audio,
                Source::Data { media_type, data },
                None,
                None,
                fields.rest(),
            ))
        }
        _ => Ok(Part::Other(whole)),
    }
}
