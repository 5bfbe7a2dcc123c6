//! Findings as text, in the style of rustc.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::finding::Finding;

/// All findings with the lines they stand on; `text_of` gives a file's text by the path in a finding.
pub fn text(findings: &[Finding], text_of: impl Fn(&str) -> Option<String>, is_coloured: bool) -> String {
    let renderer = if is_coloured { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for finding in findings {
        let source = text_of(&finding.file).unwrap_or_default();
        let title = Level::ERROR.primary_title(&finding.reason).id(finding.code);
        let mut group = match span(&source, finding.line) {
            Some(span) => Group::with_title(title).element(
                Snippet::source(&source).path(&finding.file).annotation(AnnotationKind::Primary.span(span)),
            ),
            None => Group::with_title(title)
                .element(annotate_snippets::Origin::path(&finding.file).line(finding.line)),
        };
        if let Some(lock) = finding.rule.info().lock {
            group = group.element(Level::NOTE.message(format!("lock: {lock}")));
        }
        group = group.element(Level::HELP.message(&finding.fix));
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// The bytes of a line without the blanks around it.
fn span(source: &str, line: usize) -> Option<std::ops::Range<usize>> {
    let start: usize = source.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let text = source.get(start..)?.lines().next()?;
    let begin = start + (text.len() - text.trim_start().len());
    let end = start + text.trim_end().len();
    (begin < end).then_some(begin..end)
}
