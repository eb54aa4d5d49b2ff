//! Attempts to talk a model out of its instructions.

use std::sync::LazyLock;

use regex::Regex;

/// What a phrase does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Takes back the instructions.
    Override,
    /// Gives the model a part without limits.
    Persona,
    /// Asks for the instructions.
    Extraction,
    /// Imitates the marks between turns.
    Delimiter,
    /// Asks to send what is known to an address.
    Exfiltration,
}

impl Signal {
    const ALL: [Self; 5] = [
        Self::Override,
        Self::Persona,
        Self::Extraction,
        Self::Delimiter,
        Self::Exfiltration,
    ];

    /// The signal of a word in events.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| signal.name() == word)
    }

    /// The word in events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Persona => "persona",
            Self::Extraction => "extraction",
            Self::Delimiter => "delimiter",
            Self::Exfiltration => "exfiltration",
        }
    }
}

const ROWS: [(Signal, &str); 14] = [
    (
        Signal::Override,
        r"(?i)\b(?:ignore|disregard|forget|override|bypass|discard|skip)\b(?:\W+\w+){0,4}?\W+(?:previous|prior|above|earlier|preceding|all|your|these|those|system|any|my)\b(?:\W+\w+){0,4}?\W+(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|programming|training|constraints?)\b",
    ),
    (
        Signal::Override,
        r"(?i)\b(?:ignore|disregard|forget)\s+(?:everything|anything|all(?: of)? (?:that|this|it|the above))\b(?:\W+\w+){0,6}?\W+(?:above|before|told|said|instructed|know|were|learned)\b",
    ),
    (
        Signal::Override,
        r"(?i)\b(?:new|updated|real|actual|your only)\s+(?:instructions?|task|system prompt|directives?)\s*(?::|are|is now)",
    ),
    (
        Signal::Override,
        r"(?i)\b(?:do not|don't|stop)\s+follow(?:ing)?\s+(?:your|the|any|all)(?:\W+\w+){0,3}?\W+(?:instructions?|rules?|guidelines?|polic(?:y|ies))\b",
    ),
    (
        Signal::Override,
        r"(?i)\b(?:ignoriere?|vergiss|oublie[zr]?|ignore[zr]?|ignora|olvida|忽略|忘记)\b?(?:\W*\w+){0,4}?\W*(?:anweisungen|instrucciones|istruzioni|instructions pr[ée]c[ée]dentes|指令|指示|提示)",
    ),
    (
        Signal::Persona,
        r"(?i)\b(?:you are|you're|act as|become|enter|enable|activate|switch to|simulate)\b(?:\W+\w+){0,5}?\W+(?:dan\b|do anything now|developer mode|jailbroken|jailbreak mode|god mode|unrestricted|unfiltered|uncensored|evil twin|without (?:any )?(?:restrictions|limits|rules|filters|guidelines))",
    ),
    (
        Signal::Persona,
        r"(?i)\b(?:pretend|imagine|assume|act as if|roleplay)\b(?:\W+\w+){0,4}?\W+(?:you|you're|ai|model|assistant|chatbot)\b(?:\W+\w+){0,6}?\W+(?:no|without|free (?:from|of))\s+(?:any\s+|all\s+)?(?:\w+\s+)?(?:restrictions?|limits?|rules|filters?|guidelines|ethic\w*|moral\w*|polic(?:y|ies)|safety)",
    ),
    (
        Signal::Persona,
        r"(?i)\b(?:your|all)\s+(?:\w+\s+){0,2}(?:restrictions?|filters?|safety (?:rules|guidelines|features)|guardrails|content polic(?:y|ies))\s+(?:are|have been|is|has been)\s+(?:now\s+)?(?:lifted|removed|disabled|off|suspended|void)",
    ),
    (
        Signal::Extraction,
        r"(?i)\b(?:reveal|show|print|repeat|output|display|leak|dump|give|tell|write|recite|disclose)\b(?:\W+\w+){0,4}?\W+(?:your|the)\s+(?:full\s+|entire\s+|exact\s+|original\s+|hidden\s+|secret\s+|initial\s+|complete\s+)*(?:system|initial|hidden|secret|original|developer)\s+(?:prompt|instructions?|message|rules)\b",
    ),
    (
        Signal::Extraction,
        r"(?i)\brepeat\s+(?:everything|all(?: the)?(?: text| words)?|the (?:text|words))\s+(?:above|before this)\b",
    ),
    (
        Signal::Delimiter,
        r"(?i)<\|(?:im_start|im_end|system|endoftext|start_header_id|eot_id)\|>|<</?SYS>>|\[/?INST\]",
    ),
    (
        Signal::Delimiter,
        r"(?im)^\W{0,4}(?:end of (?:user )?(?:input|prompt|message)|begin (?:new )?(?:system|admin) (?:prompt|message|instructions))\b|^\s{0,4}\[?(?:system|admin)(?: message| override)?\]?\s{0,2}:\s{0,4}(?:you|ignore|new|override|disregard)",
    ),
    (
        Signal::Exfiltration,
        r"(?i)\b(?:send|post|forward|upload|e-?mail|exfiltrate|append|encode)\b(?:\W+\w+){0,10}?\W+(?:conversation|chat history|system prompt|secrets?|api keys?|credentials?|passwords?|user(?:'s)? data|environment variables)\b(?:\W+\w+){0,8}?\W+(?:https?://|to\s+\S+@\S+)",
    ),
    (
        Signal::Exfiltration,
        r"(?i)!\[[^\]]{0,200}\]\(\s{0,3}https?://[^)\s]{1,500}(?:\{|\$\{|<|%7b)[^)]{0,200}\)",
    ),
];

/// Words of those who talk about attacks rather than make one.
const ABOUT: &str = r"(?i)\b(?:prompt.injections?|jailbreak(?:s|ing)?\b.{0,40}\b(?:attack|technique|example|detect|defen)|detect(?:s|ing|or|ion)?|classif(?:y|ier)|defend|defen[cs]e|mitigat\w+|red.team\w*|owasp|explain|what does|what is|what are|why (?:is|do|does|would|are)|how (?:do|does|can|could|would|should) (?:we|i|one|you|attackers?)|example of|such as|attackers?|unit tests?|asserts?|homework|essay|lecture|translate|grammar|summari[sz]e)\b";

/// The detector. Linear in the text.
#[derive(Clone)]
pub struct Injection {
    phrases: Vec<(Signal, Regex)>,
    about: Regex,
}

impl std::fmt::Debug for Injection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Injection")
            .field("phrases", &self.phrases.len())
            .finish_non_exhaustive()
    }
}

impl Injection {
    /// The detector.
    ///
    /// # Errors
    /// Never, as a test compiles the phrases.
    pub fn new() -> Result<Self, regex::Error> {
        /// Compiled once: a document has many policies that look for them, and is compiled often.
        static COMPILED: LazyLock<Result<Injection, regex::Error>> =
            LazyLock::new(Injection::compiled);
        COMPILED.clone()
    }

    fn compiled() -> Result<Self, regex::Error> {
        let phrases = ROWS
            .into_iter()
            .map(|(signal, pattern)| Ok((signal, Regex::new(pattern)?)))
            .collect::<Result<_, regex::Error>>()?;
        Ok(Self {
            phrases,
            about: Regex::new(ABOUT)?,
        })
    }

    /// The signals of a text that is addressed to the model. A phrase in quotation marks or code, in a text that is about attacks, is no
    /// signal: it is spoken of, and not spoken. Two signals are one too many whatever stands around them, unless all are quoted.
    #[must_use]
    pub fn signals(&self, text: &str) -> Vec<Signal> {
        let plain = normal(text);
        let mut spoken = Vec::new();
        let mut quoted = Vec::new();
        for (signal, pattern) in &self.phrases {
            for hit in pattern.find_iter(&plain).take(16) {
                let into = if is_quoted(&plain, hit.start(), hit.end()) {
                    &mut quoted
                } else {
                    &mut spoken
                };
                if !into.contains(signal) {
                    into.push(*signal);
                }
            }
        }
        // Only quoted: what is asked of the quotation decides.
        if spoken.is_empty() && !quoted.is_empty() && !self.about.is_match(&plain) {
            spoken = quoted;
        } else if spoken.len() == 1
            && spoken != [Signal::Extraction]
            && self.about.is_match(&plain)
            && self.speaks_of_it(&plain)
        {
            spoken.clear();
        }
        spoken.sort_unstable();
        spoken
    }

    /// Whether the text begins as a question or task about attacks.
    fn speaks_of_it(&self, text: &str) -> bool {
        let begin: String = text.chars().take(120).collect();
        self.about.is_match(&begin)
    }
}

/// Takes out what hides words from a reader of letters: characters without width, and full-width forms.
fn normal(text: &str) -> String {
    text.chars()
        .filter(|letter| !matches!(u32::from(*letter), 0x00AD | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2064 | 0xFEFF | 0xE0000..=0xE007F))
        .map(|letter| match u32::from(letter) {
            code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(letter),
            _ => letter,
        })
        .collect()
}

/// Whether a place stands in quotation marks or code on its line.
fn is_quoted(text: &str, start: usize, end: usize) -> bool {
    let line_start = text
        .get(..start)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let before = text.get(line_start..start).unwrap_or_default();
    let after = text.get(end..).unwrap_or_default();
    let after = after.split('\n').next().unwrap_or_default();
    let fenced = text.get(..start).unwrap_or_default().matches("```").count() % 2 == 1;
    let around = |open: char, close: char| {
        let opened = before.rfind(open).is_some_and(|at| {
            open == close && before.matches(open).count() % 2 == 1
                || open != close && !before.get(at..).unwrap_or_default().contains(close)
        });
        opened && after.contains(close)
    };
    let apostrophes = before.rfind('\'').is_some_and(|at| {
        let outside = before
            .get(..at)
            .and_then(|text| text.chars().next_back())
            .is_none_or(|c| !c.is_alphanumeric());
        outside && after.contains('\'')
    });
    fenced
        || apostrophes
        || [('"', '"'), ('`', '`'), ('“', '”'), ('«', '»'), ('‘', '’')]
            .into_iter()
            .any(|(open, close)| around(open, close))
}
