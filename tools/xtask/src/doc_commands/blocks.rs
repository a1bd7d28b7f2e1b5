//! Reading the fenced blocks of a document.

/// Marks the file that a block's text is written to.
const FILE: &str = "file=";

/// One `console` block, or one file.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) run: Run,
    pub(super) steps: Vec<Step>,
}

/// What to do with a block.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Run {
    /// Run it; the last command must exit with this code.
    Expect(i32),
    /// Do not run it; the document says why.
    Never,
}

/// A command and what it must print.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Step {
    /// Line in the document, counted from 1.
    pub(super) line: usize,
    /// The command without the prompt and the final `&`.
    pub(super) command: String,
    /// True for a server, which keeps running.
    pub(super) background: bool,
    /// Lines that the output must contain, in this order.
    pub(super) expected: Vec<String>,
}

/// Every `console` block and every file; or the line and the reason why one cannot be read.
pub(super) fn read(text: &str) -> Result<Vec<Block>, (usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(fence) = Fence::open(line) else { continue };
        let body: Vec<(&str, usize)> =
            lines.by_ref().take_while(|(line, _)| !fence.is_closed_by(line)).collect();
        let (language, rest) = fence.info.split_once(' ').unwrap_or((fence.info, ""));
        match language {
            "console" => blocks.push(Block {
                run: attributes(rest).map_err(|message| (number, message))?,
                steps: steps(&body)?,
            }),
            _ if rest.starts_with(FILE) => {
                let step = file(&rest[FILE.len()..], number, &body);
                let step = step.map_err(|message| (number, message))?;
                blocks.push(Block { run: Run::Expect(0), steps: vec![step] });
            }
            "sh" | "bash" | "shell" => {
                let message = "write commands in a `console` block, so they are run";
                return Err((number, message.to_owned()));
            }
            _ => {}
        }
    }
    Ok(blocks)
}

/// An opening fence: the number of backquotes, and the text after them.
struct Fence<'a> {
    quotes: usize,
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn open(line: &'a str) -> Option<Self> {
        let line = line.trim_start();
        let info = line.trim_start_matches('`');
        let quotes = line.len() - info.len();
        (quotes >= 3).then_some(Self { quotes, info: info.trim() })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.quotes && line.chars().all(|character| character == '`')
    }
}

/// The step that writes a file, with the folders above it.
fn file(path: &str, line: usize, body: &[(&str, usize)]) -> Result<Step, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if path.is_empty() || !path.chars().all(plain) {
        return Err(format!("`{path}`: a path may have letters, digits, `/`, `.`, `_` and `-`"));
    }
    let text: String = body.iter().map(|(line, _)| format!("{line}\n")).collect();
    let command = format!(
        "mkdir -p \"$(dirname {path})\" && cat > {path} <<'END OF FILE'\n{text}END OF FILE"
    );
    Ok(Step { line, command, background: false, expected: Vec::new() })
}

fn attributes(text: &str) -> Result<Run, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Run::Expect(0));
    }
    if let Some(code) = text.strip_prefix("exit=") {
        return code.parse().map(Run::Expect).map_err(|_| format!("`{code}` is not an exit code"));
    }
    match text.strip_prefix("norun=\"").and_then(|rest| rest.strip_suffix('"')) {
        Some(why) if !why.is_empty() => Ok(Run::Never),
        _ => Err(format!("`{text}`: use exit=CODE or norun=\"why\"")),
    }
}

fn steps(body: &[(&str, usize)]) -> Result<Vec<Step>, (usize, String)> {
    let mut steps: Vec<Step> = Vec::new();
    let mut continued = false;
    for (text, line) in body {
        let text = text.trim_end();
        match (steps.last_mut(), text.strip_prefix("$ ")) {
            (Some(step), _) if continued => step.command.push_str(&format!("\n{text}")),
            (_, Some(command)) => steps.push(Step {
                line: *line,
                command: command.to_owned(),
                background: false,
                expected: Vec::new(),
            }),
            (Some(step), None) if !text.is_empty() => step.expected.push(text.to_owned()),
            (Some(_), None) => {}
            (None, None) if text.is_empty() => {}
            (None, None) => return Err((*line, "a block must begin with `$ COMMAND`".to_owned())),
        }
        continued = text.ends_with('\\');
    }
    for step in &mut steps {
        if let Some(command) = step.command.strip_suffix('&').filter(|rest| !rest.ends_with('&')) {
            (step.command, step.background) = (command.trim_end().to_owned(), true);
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_is_commands_and_output() {
        let text = "Text\n```console exit=4\n$ one \\\n  two\nout\n\nmore\n$ serve &\nready\n```\n";
        let blocks = read(text).expect("a sound document");
        assert_eq!(blocks.len(), 1);
        assert_eq!(blocks[0].run, Run::Expect(4));
        let [first, second] = &blocks[0].steps[..] else { panic!("two steps: {blocks:?}") };
        assert_eq!(first.command, "one \\\n  two");
        assert_eq!((first.line, first.expected.len(), first.background), (3, 2, false));
        assert_eq!((second.command.as_str(), second.background), ("serve", true));
        assert_eq!(second.expected, ["ready"]);
    }

    #[test]
    fn other_blocks_are_passed_over_and_longer_fences_hide_shorter_ones() {
        let text = "````text\n```sh\n```\n````\n```rust\nfn a() {}\n```\n";
        assert_eq!(read(text).expect("a sound document"), []);
    }

    #[test]
    fn a_command_nobody_runs_needs_a_reason() {
        assert_eq!(read("```sh\nmake\n```\n").expect_err("refused").0, 1);
        assert_eq!(read("```console norun=\"\"\n$ a\n```\n").expect_err("no reason").0, 1);
        let shown = read("```console norun=\"needs two machines\"\n$ a\n```\n").expect("a reason");
        assert_eq!(shown[0].run, Run::Never);
    }

    #[test]
    fn a_file_is_written_as_it_stands() {
        let text = "```rust file=src/lib.rs\nfn a() {}\n\n$ b\n```\n";
        let blocks = read(text).expect("a sound document");
        let [Block { run: Run::Expect(0), steps }] = &blocks[..] else { panic!("{blocks:?}") };
        let expected = "mkdir -p \"$(dirname src/lib.rs)\" && cat > src/lib.rs <<'END OF FILE'\n\
                        fn a() {}\n\n$ b\nEND OF FILE";
        assert_eq!((steps[0].line, steps[0].command.as_str()), (1, expected));
        assert_eq!(read("```rust file=a b\n```\n").expect_err("no path").0, 1);
    }

    #[test]
    fn output_before_a_command_is_a_mistake() {
        assert_eq!(read("```console\nout\n```\n").expect_err("refused").0, 2);
    }

    #[test]
    fn a_conjunction_is_not_a_server() {
        let blocks = read("```console\n$ true &&\n```\n").expect("a sound document");
        assert!(!blocks[0].steps[0].background);
    }
}
