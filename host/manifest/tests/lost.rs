//! Revocations that a wrong text must not lose in silence, and texts made to hold them up.

use std::collections::BTreeSet;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use trellis_manifest::{BYTES_MAX, Format, SourceText, read, readable_trust, unrevoked};

const ISSUER: &str = "ACOJJN6WUP4ODD75XEBKKTCCUJJCY5ZKQ56XVKYK4BEJWGVAOOQHZMCW";
const ONE: &str = "MB4OLDIC3TCZ4Q4TGGOVAZC43VXFE2JQVRAXQMQFXUCREOOFEKOKZTY2";
const TWO: &str = "AALKRTLFYHSVXRVBKBZXT5YMI6CNVF3RDZVVS3WZFXNIOXUQDMVCY2MP";

const REST: &str = "actors:\n- {image: a.wasm, name: a}\nbindings:\n- {actor: a, capability: c}\n";

const BROKEN: &str = "\t- x\n";

/// Far more than a text within the limit needs, and far less than one takes that is looked through
/// again for each of its parts: hours.
const TIME_MAX: Duration = Duration::from_secs(120);

fn env(name: &str) -> Option<String> {
    (name == "LEAKED").then(|| format!("{ONE} {TWO}"))
}

fn source(name: &str, text: &str) -> SourceText {
    let text = text.replace("ISSUER", ISSUER).replace("ONE", ONE).replace("TWO", TWO);
    SourceText::new(name, text, Format::of_path(name.as_ref()))
}

/// What a wrong text revokes, and what it is told not to.
#[track_caller]
fn acts(source: &SourceText) -> (BTreeSet<String>, BTreeSet<String>) {
    assert!(read(source, &env).is_err(), "this should be wrong:\n{}", source.text);
    let found = readable_trust(source, &env);
    let told = unrevoked(source, &found);
    let told = told.iter().map(|at| source.text[at.start..at.start + at.len].to_owned());
    let named = |key: String| key.replace(ISSUER, "ISSUER").replace(ONE, "ONE").replace(TWO, "TWO");
    let revoked = found.revoked.iter().map(|key| named(key.value.clone())).collect();
    (revoked, told.map(named).collect())
}

fn keys(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

#[test]
fn a_line_that_is_indented_otherwise_ends_no_list() {
    for trust in [
        "trust:\n    revoked:\n\t- name: leaked\n\t  issuer: ONE\n\t- TWO\n",
        "trust:\n    revoked:\n\t- name: leaked\n\t  actor: ONE\n\t- TWO\n",
        "trust:\n    revoked:\n\t- key: ONE\n\t  actor: echo\n\t- TWO\n",
        "trust:\n    revoked:\n    - key: ONE\n\t  issuer: x\n    - key: TWO\n",
        "trust:\n    revoked:\n    - key: ONE\n\t  name: x\n    - key: TWO\n",
        "trust:\n        revoked:\n        - ONE\n\t- key: ISSUER\n\t  actor: echo\n\t- TWO\n",
        "trust:\n      revoked:\n  - key: ONE\n    actor: echo\n  - TWO\n",
        "trust:\n      revoked:\n  - key: ONE\n    name: echo\n  - TWO\n",
        "trust:\n      revoked:\n- key: ONE\n  host: echo\n- TWO\n",
        "trust:\n  revoked:\n    - ONE\n  host: x\n    - TWO\n",
        "trust:\n  revoked:\n    - ONE\n  isuer: x\n    - TWO\n",
    ] {
        // As right YAML that one is a text, and told not to be in effect.
        let broken = if trust.contains("isuer") { &[BROKEN][..] } else { &["", BROKEN] };
        for rest in ["issuers: [ISSUER]\n", "unsigned: x\n", ""] {
            for broken in broken {
                let text = format!("{trust}  {rest}{REST}{broken}");
                let (mut revoked, _) = acts(&source("lines.yaml", &text));
                if trust.contains("ISSUER") {
                    assert!(revoked.remove("ISSUER"), "of\n{text}");
                }
                assert_eq!(revoked, keys(&["ONE", "TWO"]), "of\n{text}");
            }
        }
    }
}

#[test]
fn a_list_ends_where_the_next_key_certainly_begins() {
    for (trust, revoked) in [
        ("trust:\n  revoked:\n  - ONE\n  issuers: [TWO]\n", &["ONE"][..]),
        ("trust:\n  revoked:\n  - key: ONE\n    name: x\nlabels: {a: TWO}\n", &["ONE"]),
        ("trust:\n\trevoked:\n\t- ONE\nlabels: {a: TWO}\n", &["ONE"]),
        ("trust:\n      revoked:\n- ONE\nlabels: {a: TWO}\n", &["ONE"]),
        ("trust:\n  revoked: [ONE]\n  isuers: [TWO]\n", &["ONE"]),
    ] {
        let text = format!("{trust}{REST}{BROKEN}");
        assert_eq!(acts(&source("ends.yaml", &text)).0, keys(revoked), "of\n{text}");
    }
}

#[test]
fn a_quote_too_many_makes_no_comment_of_a_key() {
    let both = keys(&["ONE", "TWO"]);
    for trust in [
        "trust: {revoked: [{key: ONE, why: 'Bob's key, issue #12'}, TWO]}\n",
        "trust:\n  revoked:\n    - {why: 'Bob's key, issue #12', key: ONE}\n    - TWO\n",
        "trust:\n  revoked:\n    - {why: \"the \"old\" one\", see: \"it's #12\", key: ONE}\n    - TWO\n",
    ] {
        assert_eq!(
            acts(&source("quotes.yaml", &format!("{trust}{REST}{BROKEN}"))).0,
            both,
            "{trust}"
        );
    }
    // An apostrophe in a comment opens nothing.
    for comment in ["# the old one; it's signed by TWO", "# the 24\" screen; not TWO"] {
        for (value, broken) in
            [("'ONE'", "labels: {x: '${UNSET}'}\n"), ("\"ONE\"", BROKEN), ("'ONE'", BROKEN)]
        {
            let text = format!("{REST}trust:\n  revoked:\n    - {value}  {comment}\n{broken}");
            assert_eq!(acts(&source("comment.yaml", &text)).0, keys(&["ONE"]), "{text}");
        }
    }
    // A bracket that a comment closes: what stands in it is told.
    let text = format!("trust: {{revoked: [ONE #12, TWO]}}\n{REST}{BROKEN}");
    assert_eq!(acts(&source("comment.yaml", &text)), (keys(&["ONE"]), keys(&["TWO"])));
    // Every word for it is one.
    for word in ["revocations", "revocation", "revocation_list"] {
        let text = format!("trust:\n  {word}: [ONE]\n{REST}{BROKEN}");
        assert_eq!(acts(&source("word.yaml", &text)).0, keys(&["ONE"]), "{text}");
    }
    let trust =
        "trust:\n  revoked:\n  - {why: \"leaked, see\n    #12 \", key: ONE}\n  - TWO # why\n";
    let (revoked, told) = acts(&source("lines.yaml", &format!("{trust}{REST}{BROKEN}")));
    assert_eq!((revoked, told), (keys(&["TWO"]), keys(&["ONE"])));
    let comment = format!("trust:\n  revoked:\n  - ONE # by TWO, not issuers: or trust:\n{BROKEN}");
    assert_eq!(acts(&source("comment.yaml", &comment)), (keys(&["ONE"]), keys(&[])));
}

#[test]
fn a_revocation_in_the_wrong_place_of_a_right_text_acts() {
    for (front, behind) in [
        ("trust:\n  - revoked: [ONE, TWO]\n", ""),
        ("trust:\n  - - revoked: {a: ONE, b: [TWO]}\n", ""),
        ("host:\n  trust:\n    revoked: [ONE, TWO]\n", ""),
        ("trust:\n  issuers:\n    - revoked: [ONE, TWO]\n", ""),
        ("trust.revoked: [ONE, TWO]\n", ""),
        ("trust: {revoked_keys: [ONE, TWO]}\n", ""),
        ("trust: {revoked-keys: [ONE, TWO]}\n", ""),
        ("trust: {Revoked: [ONE, TWO]}\n", ""),
        ("x: &x [ONE, TWO]\ntrust:\n  - revoked: *x\n", ""),
        ("trust: {unsigned: refuse}\n", "  revoked: ONE TWO\n"),
    ] {
        for broken in ["", BROKEN] {
            if (front.contains("*x") || !behind.is_empty()) && !broken.is_empty() {
                continue;
            }
            let text = format!("{front}{REST}{behind}{broken}");
            let (revoked, told) = acts(&source("form.yaml", &text));
            assert_eq!(revoked, keys(&["ONE", "TWO"]), "of\n{text}");
            assert_eq!(told, keys(&[]), "of\n{text}");
        }
    }
    let text = "{\"actors\": [], \"trust\": [{\"revoked\": [\"ONE\", \"TWO\", \"echo\"]}]}";
    let found = readable_trust(&source("form.json", text), &env);
    assert_eq!((found.revoked.len(), found.unread.len()), (2, 1), "a name revokes nothing");
}

#[test]
fn a_key_that_nothing_revokes_is_told_in_a_text_that_speaks_of_it() {
    for (trust, revoked, told) in [
        ("trust: {revoked ONE, TWO}\n", &["ONE", "TWO"][..], &[][..]),
        ("trust:\n  revoked ONE TWO\n", &["ONE", "TWO"], &[]),
        ("trust:\n  revoked; [ONE, TWO]\n", &["ONE", "TWO"], &[]),
        ("trust:\n  revoked\u{ff1a} [ONE, TWO]\n", &["ONE", "TWO"], &[]),
        ("trust:\n  revoked ${LEAKED}\n", &["ONE", "TWO"], &[]),
        ("trust:\n  keys to revoke are ONE, TWO\n", &[], &["ONE", "TWO"]),
        ("trust:\n  ONE: revoked\n  TWO: revoked\n", &[], &["ONE", "TWO"]),
        ("bad: &bad [ONE, TWO]\ntrust: {revoked: *bad}\n", &[], &["ONE", "TWO"]),
        ("trust:\n  revoked: [ONE]\nlabels: {a: TWO}\n", &["ONE"], &["TWO"]),
        ("trust: {issuers: [TWO], revoked: [ONE]}\nlabels: {a: TWO}\n", &["ONE"], &[]),
        (
            "trust: {issuers: {team: TWO}, revoked: []}\nbindings:\n- {actor: ONE, capability: c}\n",
            &[],
            &[],
        ),
        ("# revoked: [TWO]\ntrust:\n  revoked: [ONE]\n", &["ONE"], &[]),
        ("labels: {a: ONE, b: TWO}\n", &[], &[]),
    ] {
        let text = format!("{trust}{REST}{BROKEN}");
        assert_eq!(acts(&source("told.yaml", &text)), (keys(revoked), keys(told)), "of\n{text}");
    }
}

#[test]
fn a_text_in_another_encoding_revokes() {
    let text = source("utf16.yaml", &format!("trust: {{revoked: [ONE, TWO]}}\n{REST}")).text;
    let [little, big] = [u16::to_le_bytes, u16::to_be_bytes]
        .map(|bytes| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>());
    let wide = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    for (mark, bytes) in [
        (&[0xff, 0xfe][..], little.clone()),
        (&[], little),
        (&[0xfe, 0xff], big.clone()),
        (&[], big),
        (&[0xff, 0xfe, 0, 0], wide),
    ] {
        let bytes = [mark, &bytes].concat();
        let report = SourceText::from_bytes("utf16.yaml", bytes, Format::Yaml).expect_err("UTF-16");
        assert!(report.to_string().contains("UTF-16"), "{report}");
        assert_eq!(readable_trust(report.source_text(), &env).revoked.len(), 2, "{report}");
    }
    // One that is cut in the middle of a character is too large, whatever else it is.
    let long = "é".repeat(BYTES_MAX / 2 + 1);
    let cut = long.as_bytes()[..=BYTES_MAX].to_vec();
    let source = SourceText::from_bytes("long.yaml", cut, Format::Yaml).expect("it is UTF-8");
    let report = read(&source, &env).expect_err("it is too large");
    assert!(report.to_string().contains("too large"), "{report}");
}

/// Texts made to be looked through again and again, each of `bytes` bytes.
fn crafted(bytes: usize) -> Vec<(&'static str, String)> {
    let fill = |text: &str, share: usize| text.repeat(bytes / share / text.len());
    vec![
        ("references", format!("trust: {{revoked: [{}\n", fill("${", 1))),
        ("names in references", format!("x: [\n{}}}\n", fill("revoked: ${ issuers: ", 1))),
        ("variables", format!("x: [\nrevoked: [{}\n", fill("${LEAKED}", 1))),
        ("anchors", format!("x: [\n{}\n", fill("&revoked: &issuers: ", 1))),
        ("anchors without spaces", format!("x: [\n{}\n", fill("revoked:&issuers:&", 1))),
        ("brackets", format!("x: [\nrevoked: {}{}\n", fill("{", 2), fill("]", 2))),
        ("blanks", format!("{}x: [\n{}\n", fill(" ", 2), fill("revoked: issuers: ", 2))),
        ("lines of blanks", format!("x: [\n{}\n", fill("revoked:\n \n \n issuers:\n", 1))),
        ("hyphens", format!("x: [\n{}revoked: x\n", fill("a-", 1))),
        ("quotes", format!("x: [\nrevoked: [{}\n", fill("' \" # ", 1))),
        ("quotes by line", format!("x: [\n{}\n", fill("revoked: ' # '' issuers:\n", 1))),
        ("nothing", format!("x: [\nrevoked: [{}\n", fill("a,", 1))),
        ("names", format!("x: [\nrevoked: [{}\n", fill("actrs: ", 1))),
        ("keys", format!("x: [\nrevoked: [{}\n", fill(&format!("{ONE},"), 1))),
        ("hints", format!("x: [\n{}\n", fill("revoked ", 1))),
    ]
}

#[test]
fn no_text_holds_a_revocation_up() {
    // In JSON the same is read, but for comments.
    let sizes = [(Format::Yaml, BYTES_MAX - 100), (Format::Json, BYTES_MAX / 16)];
    let texts = sizes.into_iter().flat_map(|(format, bytes)| {
        crafted(bytes).into_iter().map(move |(what, text)| (what, format, text))
    });
    // All at once; a thread that takes too long ends with the process.
    let scanned = texts.map(|(what, format, text)| {
        let source = SourceText::new("crafted", text, format);
        let (sender, done) = sync_channel(1);
        std::thread::spawn(move || {
            let found = readable_trust(&source, &env);
            // An error means that nobody waits any more.
            let _ = sender.send(unrevoked(&source, &found).len());
        });
        (what, format, done)
    });
    for (what, format, done) in scanned.collect::<Vec<_>>() {
        let found = done.recv_timeout(TIME_MAX);
        assert!(found.is_ok(), "{what} in {format:?}: {TIME_MAX:?} are not enough");
    }
}

#[test]
fn whatever_the_text_each_place_lies_in_it() {
    const PIECES: &[&str] = &[
        "revoked",
        "issuers",
        "actors",
        "name",
        "actor",
        "ONE",
        "TWO",
        "${",
        "}",
        "[",
        "]",
        "{",
        ":",
        "\u{ff1a}",
        ";",
        "-",
        "- ",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "#",
        " # ",
        "'",
        "\"",
        "é",
        ",",
        "&a ",
        "\u{feff}",
        "?",
        "trust:\n  ",
        "${LEAKED}",
    ];
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..24 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let index = usize::try_from(state >> 33).expect("31 bits") % PIECES.len();
            text.push_str(PIECES[index]);
        }
        for name in ["any.yaml", "any.json"] {
            let source = source(name, &text);
            let found = readable_trust(&source, &env);
            let revoked = found.revoked.iter().map(|key| key.span);
            for at in revoked.chain(unrevoked(&source, &found)).chain(found.unread.clone()) {
                assert!(source.text.get(at.start..at.start + at.len).is_some(), "{text:?}");
            }
        }
    }
}
