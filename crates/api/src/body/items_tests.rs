//! The cutting of batches, held against `serde_json` reading the whole text.

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

/// The items of an array, or what is wrong with it, when it comes in pieces of this size.
fn items(text: &[u8], size: usize) -> Result<Vec<String>, String> {
    let open = text.iter().position(|byte| *byte == b'[').unwrap();
    let (before, rest) = text.split_at(open + 1);
    let mut array = ArrayItems::new(Position::START.after(before));
    let mut items = Vec::new();
    for piece in rest.chunks(size) {
        let step = array.push(piece, &mut |item| {
            items.push(item.get().to_owned());
            ControlFlow::Continue(())
        })?;
        assert!(step.is_continue());
    }
    array.finish().map(|()| items)
}

/// The same, as the whole text is read at once.
fn expected(text: &[u8]) -> Result<Vec<String>, String> {
    let whole: &RawValue = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let items: Vec<&RawValue> = serde_json::from_str(whole.get()).map_err(|e| e.to_string())?;
    Ok(items.into_iter().map(|item| item.get().to_owned()).collect())
}

#[test]
fn an_array_is_cut_wherever_its_pieces_end() {
    for text in [
        "[]",
        " [ ] ",
        "[1]",
        "[1,-2.5e3 ,\n true,null\t]\r\n",
        r#"["a","\"","\\","[,]{","\u00e4\ud800",""]"#,
        r#"[{"a":[1,{"b":"]}"}],"c":"\\\""},[[[]],[]],{}]"#,
        "[\"支付\",{\"支\":\"付\"}]",
    ] {
        let expected = expected(text.as_bytes()).unwrap();
        for size in 1..=text.len() {
            assert_eq!(items(text.as_bytes(), size).as_ref(), Ok(&expected), "{text} by {size}");
        }
    }
}

#[test]
fn what_is_wrong_is_said_as_of_the_whole_text() {
    for text in [
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "[1x]",
        "[1]]",
        "[1] x",
        "[}",
        "[{]",
        "\n [1,\n {\"a\" 1}]",
        "[\n{\"a\":\n1,}]",
        "[{\"a\":\"\n\"}]",
        "[\"\\x\"]",
        "[\"a",
        "[{\"a\":[1]",
        "[01]",
        "[[1,2}]",
        "[NaN]",
    ] {
        let expected = expected(text.as_bytes()).unwrap_err();
        for size in 1..=text.len() {
            assert_eq!(items(text.as_bytes(), size).as_ref(), Err(&expected), "{text} by {size}");
        }
    }
    // What ends too early is said of the item, not of what follows.
    assert_eq!(items(b"[nul]", 9), Err("expected value at line 1 column 4".to_owned()));
    assert!(items(b"[\"\xff\"]", 9).is_err());
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused_as_a_whole(
        text in "[\\[\\]{},:\"\\\\ \n1e.tn-u]{0,24}|(\\{\"a\":[\\[\\]1\",\\\\{}]{0,9}\\},?){0,4}",
        size in 1_usize..9,
    ) {
        let text = format!("[{text}]");
        prop_assert_eq!(items(text.as_bytes(), size).ok(), expected(text.as_bytes()).ok(), "{}", text);
    }

    #[test]
    fn lines_are_cut_wherever_their_pieces_end(text in "[a \r\n]{0,40}", size in 1_usize..9) {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        let mut take = |line: &[u8]| {
            seen.push(String::from_utf8_lossy(line).into_owned());
            ControlFlow::Continue(())
        };
        for piece in text.as_bytes().chunks(size) {
            prop_assert!(lines.push(piece, &mut take).is_continue());
        }
        prop_assert!(lines.finish(&mut take).is_continue());
        let expected: Vec<_> = text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect();
        prop_assert_eq!(seen, expected);
    }
}
