use super::*;

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found: Vec<_> = lint(text)
        .iter()
        .map(|finding| format!("{:?} {finding}", finding.severity))
        .collect();
    assert_eq!(found, expected);
}

fn tile(extra: &str) -> String {
    format!(
        r#"{{"img":{{"src":"https://a.invalid/1.jpg","srcMobile":"https://a.invalid/1.jpg"}}{extra}}}"#
    )
}

fn tiles(blocks: &[String]) -> String {
    format!(
        r#"{{"content":[{{"widgetName":"raShowcase","type":"tileM","blocks":[{}]}}],"version":0.3}}"#,
        blocks.join(",")
    )
}

#[test]
fn good_documents() {
    check(
        &tiles(&[
            tile(""),
            tile(r#","title":{"content":["Кеды"],"size":"size3"}"#),
        ]),
        &[],
    );
    for widget in [
        r#"{"widgetName":"raTextBlock","theme":"primary","padding":"type2","gapSize":"s","text":{"items":[{"type":"text","content":"a"},{"type":"br"},{"type":"link","content":"b","href":"https://a.invalid"}]}}"#,
        r#"{"widgetName":"raTable","table":{"head":[{"text":["a"],"contentAlign":"left"}],"body":[[["b"]],[{"items":[{"type":"text","content":"c"}]}]]}}"#,
        r#"{"widgetName":"raVideo","type":"youtube","id":"x"}"#,
        r#"{"widgetName":"raVideo","type":"embedded","width":640,"height":480.5,"sources":[{"type":"video/mp4","src":"https://a.invalid/v.mp4"}]}"#,
        r#"{"widgetName":"list","theme":"bullet","blocks":[{"title":{"content":["a"]},"text":{"content":["b"],"items":[]}}]}"#,
        r#"{"widgetName":"raShowcase","type":"chess","blocks":[{"img":{"src":"https://a.invalid","srcMobile":"https://a.invalid","width":1,"height":2},"reverse":true},{"img":{"src":"https://a.invalid","srcMobile":"https://a.invalid"},"reverse":false}]}"#,
    ] {
        check(&format!(r#"{{"content":[{widget}],"version":0.3}}"#), &[]);
    }
}

#[test]
fn faults() {
    check(
        "",
        &["Fault it is not JSON: EOF while parsing a value at line 1 column 0"],
    );
    check(
        r#"{"content":[],"version":"0.3"}"#,
        &["Fault it is not Rich Content 0.3: invalid type: string \"0.3\", expected f64"],
    );
    check(
        r#"{"content":[],"version":0.2}"#,
        &["Fault it is not Rich Content 0.3: version 0.2 is not 0.3"],
    );
    check(
        r#"{"content":[]}"#,
        &["Fault it is not Rich Content 0.3: missing field `version`"],
    );
    check(
        r#"{"content":[{"widgetName":"raColumns"}],"version":0.3}"#,
        &[
            "Fault it is not Rich Content 0.3: unknown variant `raColumns`, expected one of `raShowcase`, `raTextBlock`, `raTable`, `raVideo`, `list`",
        ],
    );
    assert!(
        lint(&tiles(&[tile(r#","title":"bare""#), tile("")]))[0]
            .message
            .contains("not Rich Content")
    );
    check(&tiles(&[]), &["Fault content[0].blocks: there is no block"]);
    check(
        &tiles(&[tile(""), tile("").replace("https://a.invalid/1.jpg", "")]),
        &[
            "Fault content[0].blocks[1].img.src: the address is empty",
            "Fault content[0].blocks[1].img.srcMobile: the address is empty",
        ],
    );
    check(
        &tiles(&[tile(""), tile(r#","imgLink":"javascript:0""#)]),
        &["Fault content[0].blocks[1].imgLink: this is not an address on the web"],
    );
    assert_eq!(lint(&" ".repeat(MAX_DOCUMENT + 1)).len(), 1);
    assert_eq!(lint(&"[".repeat(100_000)).len(), 1);
}

#[test]
fn warnings() {
    check(
        &tiles(&[tile("")]),
        &["Warning content[0].blocks: 1 blocks; 2 to 8 are sensible"],
    );
    check(
        &tiles(&vec![tile(""); 9]),
        &["Warning content[0].blocks: 9 blocks; 2 to 8 are sensible"],
    );
    check(
        &tiles(&[
            tile(r#","price":1,"title":{"content":["a"],"bold":true}"#),
            tile(""),
        ]),
        &[
            "Warning content[0].blocks[0].price: this key is not known",
            "Warning content[0].blocks[0].title.bold: this key is not known",
        ],
    );
    check(
        &tiles(&[
            tile(r#","title":{"content":["«a»"]}"#),
            tile(r#","text":{"content":["<b>a</b>","5 < 6"]}"#),
        ]),
        &[
            "Warning content[0].blocks[0].title.content[0]: the character « shows badly in the shop",
            "Warning content[0].blocks[1].text.content[0]: HTML shows as it is written",
        ],
    );
    check(
        &tiles(&[tile(r#","imgLink":"http://a.invalid/""#), tile("")]),
        &["Warning content[0].blocks[0].imgLink: the address is not https"],
    );
    check(
        r#"{"content":[],"version":0.3}"#,
        &["Warning content: there is no widget"],
    );
}
