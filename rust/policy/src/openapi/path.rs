//! Path templates of OpenAPI, where variables may be parts of segments: `/reports/{year}-{month}.csv`.

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    /// The text before the first variable.
    start: String,
    /// Variables, each with the text behind it.
    variables: Vec<(String, String)>,
}

/// A path template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    segments: Vec<Segment>,
}

impl Path {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix('/')
            .ok_or_else(|| format!("the path `{text}` does not start with `/`"))?;
        let segments = rest.split('/').map(|part| Segment::parse(part, text));
        let segments = segments.collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// The same with a variable for each segment that holds one, as routes write it.
    pub fn widened(&self) -> String {
        let segments = self.segments.iter().enumerate();
        segments.fold(String::new(), |path, (at, segment)| {
            if segment.variables.is_empty() {
                format!("{path}/{}", segment.start)
            } else {
                format!("{path}/{{v{at}}}")
            }
        })
    }

    /// How much of the template is text.
    pub fn text_bytes(&self) -> usize {
        self.segments.iter().map(Segment::text_bytes).sum()
    }

    /// The variables of a path that the widened template takes; `None` when the text within segments differs.
    pub fn variables<'p>(&'p self, path: &'p str) -> Option<Vec<(&'p str, &'p str)>> {
        let mut found = Vec::new();
        let mut parts = path.strip_prefix('/')?.split('/');
        for segment in &self.segments {
            segment.variables(parts.next()?, &mut found)?;
        }
        Some(found)
    }

    /// The names of the variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let variables = self.segments.iter().flat_map(|segment| &segment.variables);
        variables.map(|(name, _)| name.as_str())
    }
}

impl Segment {
    fn parse(text: &str, path: &str) -> Result<Self, String> {
        let mut parts = text.split('{');
        let start = parts.next().unwrap_or_default().to_owned();
        let mut variables = Vec::new();
        for part in parts {
            let (name, behind) = part
                .split_once('}')
                .ok_or_else(|| format!("a `{{` of the path `{path}` is not closed"))?;
            let follows = variables
                .last()
                .is_some_and(|(_, text): &(String, String)| text.is_empty());
            if name.is_empty() || follows {
                return Err(format!(
                    "the variables of the path `{path}` need names, and text between them"
                ));
            }
            variables.push((name.to_owned(), behind.to_owned()));
        }
        Ok(Self { start, variables })
    }

    fn text_bytes(&self) -> usize {
        let behind = self.variables.iter().map(|(_, text)| text.len());
        self.start.len() + behind.sum::<usize>()
    }

    /// Each variable ends where the text behind it first stands, the last one at the end of the segment.
    fn variables<'p>(&'p self, text: &'p str, found: &mut Vec<(&'p str, &'p str)>) -> Option<()> {
        let Some(((last, end), others)) = self.variables.split_last() else {
            // The router has compared it, in canonical form.
            return Some(());
        };
        let mut rest = text.strip_prefix(self.start.as_str())?;
        for (name, behind) in others {
            let (value, tail) = rest.split_once(behind.as_str())?;
            found.push((name.as_str(), value));
            rest = tail;
        }
        found.push((last.as_str(), rest.strip_suffix(end.as_str())?));
        found
            .iter()
            .all(|(_, value)| !value.is_empty())
            .then_some(())
    }
}
