//! Rich Content of version 0.3: the model of a document, and its lint.
//!
//! The model is as strict as the shop's own schema and stricter in one respect: keys that it does
//! not know are found by [`lint`], since the schema lets them pass.

mod lint;
mod model;

pub use lint::{Finding, Severity, lint};
pub use model::{
    Align, BlockText, ChessBlock, Color, Document, Gap, HeadCell, Image, Inline, List, ListBlock,
    ListTheme, MediaType, Padding, Paragraph, Position, RollBlock, Showcase, ShowcaseBlock, Size,
    Source, TableBody, TableCell, TableText, TableWidget, Text, TextBlock, Theme, Version, Video,
    Widget,
};

/// Text without the characters that the shop's editor trips over: bullets, crosses, angled quotes,
/// tags and control characters.
pub fn plain_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        match after.split_once('>') {
            Some((tag, after)) if lint::is_tag(tag) => {
                plain.push(' ');
                rest = after;
            }
            _ => {
                // A lone sign, as in "< 5 kg", is no tag.
                plain.push('<');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    let replaced: String = plain
        .chars()
        .map(|character| match character {
            '•' | '·' => '-',
            '×' => 'x',
            '«' | '»' | '„' | '“' | '”' => '"',
            other => other,
        })
        .collect();
    crate::normal::text(&replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_for_the_shop() {
        let check = |text, expected| assert_eq!(plain_text(text), expected, "{text:?}");
        check(
            "Ботинки «Синтез» 10×20 • новые",
            "Ботинки \"Синтез\" 10x20 - новые",
        );
        check("<b>Кеды</b><br/>белые", "Кеды белые");
        check("вес < 5 кг > 2 кг", "вес < 5 кг > 2 кг");
        check("<script", "<script");
        check("a<<i>b", "a< b");
    }
}
