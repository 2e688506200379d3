//! CSV, in and out.
//!
//! Serves rosters and exports. Pure text.

use csv_core::{ReadRecordResult, Reader};

/// The records of `text`; a separator of `;` is recognised, because spreadsheets of half of Europe write it.
pub fn read(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.matches(';').count() > first.matches(',').count() { b';' } else { b',' };
    let mut reader: Reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let mut out = Vec::new();
    let (mut input, mut bytes, mut ends) =
        (text.as_bytes(), vec![0; text.len() + 1], vec![0; text.len() + 2]);
    loop {
        let (mut filled, mut fields) = (0, 0);
        loop {
            let (result, read, written, ended) =
                reader.read_record(input, &mut bytes[filled..], &mut ends[fields..]);
            input = &input[read..];
            filled += written;
            fields += ended;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return out,
                // Both buffers are longer than the text; only its end is left to tell the reader.
                _ => {}
            }
        }
        let mut start = 0;
        let record = ends[..fields].iter().map(|end| {
            let cell = String::from_utf8_lossy(&bytes[start..*end]).trim().to_string();
            start = *end;
            cell
        });
        out.push(record.collect());
    }
}

/// One line with its end. A cell that a spreadsheet would run as a formula becomes text.
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = cells.into_iter().map(cell).collect();
    format!("{}\r\n", quoted.join(","))
}

fn cell(text: &str) -> String {
    let text = match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t') if text.parse::<f64>().is_err() => format!("'{text}"),
        _ => text.to_string(),
    };
    if text.contains(['"', ',', '\n', '\r', ';']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let got = read("\u{feff}person,school\r\n\"O'Hara, Pat\",\"North \"\"A\"\"\"\n\nlast,x");
        assert_eq!(got, [vec!["person", "school"], vec!["O'Hara, Pat", "North \"A\""], vec!["last", "x"]]);
        assert_eq!(read("a;b\n1;2,5\n"), [vec!["a", "b"], vec!["1", "2,5"]]);
        assert!(read("").is_empty());
    }

    #[test]
    fn lines() {
        assert_eq!(line(["a", "b,c", "d\"e"]), "a,\"b,c\",\"d\"\"e\"\r\n");
        assert_eq!(line(["=1+1", "-5", "-x", "@a"]), "'=1+1,-5,'-x,'@a\r\n");
    }
}
