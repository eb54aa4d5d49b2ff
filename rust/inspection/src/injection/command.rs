//! Command injection: a shell separator or substitution in front of a command.

use std::borrow::Cow;

use regex::bytes::Regex;

use super::Detector;
use super::field::Field;
use super::finding::{Class, Finding, Sensitivity};
use super::pattern::PackError;
use super::pattern::compile;

const ID: &str = "command_injection.shell";

/// What a shell takes for the end of the command before. A line break and a backtick also stand in prose that quotes
/// commands, so they count behind one short word only.
const SEPARATOR: &str = r"(?: ; | \| | & | \$\( | ^ [^\s`]{0,64} (?: ` | [\n\r]+ ) )";

/// Commands that are no English words; any use behind a separator counts.
const NAMES: &str = r"whoami|uname|ncat|netcat|socat|ifconfig|ipconfig|netstat|nslookup|systeminfo|certutil|powershell|pwsh
    |chmod|chown|mkfifo|mknod|crontab|busybox|printenv|bitsadmin|tasklist|rundll32|regsvr32|mshta|cscript|wscript|findstr|xxd|useradd|adduser|traceroute|tcpdump|netsh|sysinfo";

/// Commands that are words as well, or names of languages; these need arguments in the form of a shell.
const WORDS: &str = r"cat|ls|id|ps|sh|bash|zsh|dash|ksh|nc|curl|wget|ping|sleep|echo|env|set|export|find|head|tail|tac|nl|more|less|sort|cut|awk|sed|grep|tee|touch|rm|mv|cp|ln|kill
    |host|hostname|dig|time|date|who|w|pwd|dir|type|net|cmd|python[\d.]*|perl|ruby|php|node|lua|java|gcc|printf|base64|exec|eval|source|mkdir|mount|ftp|tftp|telnet|ssh|scp|at|top|df|du|ver";

/// What follows a word when it is a command: an option, a path, a variable, an address, a quoted script, a redirection.
const ARGUMENT: &str = r#" \s+ (?: -{1,2}[a-z\d] | [\\/~.*?] [\w\\/.*?~-] | / (?: \s | $ ) | [a-z]:\\ | \$[\w({] | ["'] | \d+ (?: \s*$ | \s*[;|&] | \. ) | https?:// | [\w.-]+ \s* \| \s* (?: sh | bash | base64 | nc | tee | grep | xargs | python ) \b | [\w.-]+ \s+ > \s* [/\w] | > | %\w+% | /[a-z]\b | (?: user | view | localgroup | group | share | use ) \b | [a-z\d-]+\.(?:txt|sh|php|exe|log|conf|py|example|com|net|org)\b )"#;

pub(super) struct CommandInjection {
    sensitivity: Sensitivity,
    certain: Regex,
    bare: Regex,
}

impl CommandInjection {
    pub(super) fn new(sensitivity: Sensitivity) -> Result<Self, PackError> {
        let certain = format!(
            r#"
    # a separator, then a command with what makes it one
    {SEPARATOR} \s* (?: sudo \s+ )? (?: [\w.?*/-]* [\\/?] )? (?: (?:{NAMES}) \b | (?:{WORDS}) {ARGUMENT} )
    # a separator, then the path of a program
  | {SEPARATOR} \s* / (?: (?:usr/|usr/local/|s?bin|[?*]+) [/?*]* )+ [\w?*]+ (?: [\s|;&)`] | $ )
    # a substitution that holds nothing but a command
  | (?: ` \s* (?: {NAMES} | sleep\s+\d+ ) \s* ` ) | (?: ^ [^\s`]{{0,64}} ` \s* (?: id|ls|ps|env|pwd|hostname ) \s* ` [^\s`]{{0,64}} $ ) | \$\( \s* (?: {NAMES}|id|ls|ps|env|pwd|hostname|sleep\s+\d+|printf\b|touch\s|curl\s ) [^)]{{0,80}} \)
    # code of a language that calls a shell
  | <\? (?: php | = ) | [;|&] \s* (?: system | passthru | shell_exec | popen | phpinfo ) \s* \(
    # a command list in braces, a redirection to the network, a function in the environment
  | [;|&`] \s* \{{ [a-z]+ , | /dev/(?:tcp|udp)/ | \(\) \s* \{{ [^}}]{{0,80}} \}} \s* ;
    # pipes into an interpreter
  | \| \s* (?: [\w/]*/ )? (?: sh | bash | zsh | python[\d.]* | perl | php | ruby ) \s* $
  | \b powershell (?:\.exe)? \s+ -(?:e|enc|nop|w|c)[a-z]* \b | \b cmd (?:\.exe)? \s+ /c \b
"#
        );
        // A value that ends in a bare command, right behind its separator.
        let bare = r"^ [^\s;|&`\n]{0,64} \s? (?: ; | \|\|? | &&? | [\n\r] ) \s? (?: id | ls | ps (?:\s+aux)? | env | pwd | hostname | who | w | set | dir | netstat | bash | sh ) (?: \s+ -[a-z]+ )? \s* [;|\#]? \s* $";
        Ok(Self {
            sensitivity,
            certain: compile(&certain)?,
            bare: compile(bare)?,
        })
    }
}

impl Detector for CommandInjection {
    fn id(&self) -> &'static str {
        ID
    }

    fn class(&self) -> Class {
        Class::CommandInjection
    }

    fn needles(&self) -> &'static [&'static str] {
        &[
            ";",
            "|",
            "&",
            "`",
            "$(",
            "\n",
            "\r",
            "/dev/",
            "()",
            "powershell",
            "cmd",
        ]
    }

    fn inspect(&self, field: &Field<'_>) -> Option<Finding> {
        let found = |value: &[u8]| {
            let bare = || {
                self.bare
                    .find(value)
                    .filter(|found| self.is_bare_command(found.as_bytes()))
            };
            self.certain
                .find(value)
                .or_else(bare)
                .map(|found| found.start())
        };
        let plain = without_shell_quoting(field.value);
        let at = found(field.value).or_else(|| {
            matches!(plain, Cow::Owned(_))
                .then(|| found(&plain))
                .flatten()
        })?;
        Some(Finding::new(Class::CommandInjection, ID, field, at))
    }
}

impl CommandInjection {
    /// `Tom; dir` may be prose; a separator that starts the value, or that no space surrounds, is a shell's.
    fn is_bare_command(&self, value: &[u8]) -> bool {
        let starts = value
            .trim_ascii_start()
            .first()
            .is_some_and(|byte| b";|&\n\r".contains(byte));
        let separators = value.iter().filter(|byte| b";|&".contains(byte)).count();
        let tight = separators > 0 && !value.trim_ascii().contains(&b' ') && separators <= 2;
        self.sensitivity == Sensitivity::Strict || starts || tight || value.contains(&b'\n')
    }
}

/// The value as a shell reads it: quotes, backslashes and empty variables inside words dropped, `$IFS` as a space.
/// Borrowed when there is nothing to drop.
fn without_shell_quoting(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.iter().any(|byte| b"'\"\\^$".contains(byte)) {
        return Cow::Borrowed(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'\'' | b'"' | b'\\' | b'^' => {}
            b'$' => match behind {
                [b'{', b'I', b'F', b'S', tail @ ..] => {
                    plain.push(b' ');
                    let close = tail
                        .iter()
                        .take(16)
                        .position(|byte| *byte == b'}')
                        .map_or(0, |at| at + 1);
                    rest = tail.get(close..).unwrap_or_default();
                }
                [b'I', b'F', b'S', b'$', b'1'..=b'9', tail @ ..]
                | [b'I', b'F', b'S', tail @ ..] => {
                    plain.push(b' ');
                    rest = tail;
                }
                [b'@' | b'*' | b'1'..=b'9', tail @ ..] => rest = tail,
                _ => plain.push(b'$'),
            },
            _ => plain.push(*first),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::without_shell_quoting;

    #[test]
    fn quoting_inside_words_is_dropped() {
        for (value, plain) in [
            ("c'a't \"x\"", "cat x"),
            ("c\\at${IFS}/etc", "cat /etc"),
            ("cat$IFS$9/x", "cat /x"),
            ("wh$@oami", "whoami"),
            ("$HOME", "$HOME"),
            ("${IFS%??}x", " x"),
        ] {
            assert_eq!(
                without_shell_quoting(value.as_bytes()).as_ref(),
                plain.as_bytes(),
                "{value}"
            );
        }
    }
}
