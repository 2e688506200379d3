//! Plans that auto_explain logged: the statement, its parameters, what was measured, and the text with its values
//! masked.
//!
//! ```text
//!  body ──▶ text.rs      "Query Text: …", nodes by indentation
//!       └─▶ markup.rs    JSON, YAML, XML as one stream of keys and values
//! ```
//!
//! Sources: `contrib/auto_explain/auto_explain.c`, `commands/explain.c`, `commands/explain_format.c`. A plan is cut
//! off wherever the log or a cap cuts it: every function takes any bytes and does what it can.

mod markup;
mod mask;
mod text;

use std::borrow::Cow;

use crate::units::Micros;

/// How a plan is written (`auto_explain.log_format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As `EXPLAIN` shows it.
    Text,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// XML.
    Xml,
}

impl Format {
    /// The name used in every output, which is also that of the setting's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Xml => "xml",
        }
    }

    /// The format of the body of a plan.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        let body = body.trim_ascii_start();
        match body.first() {
            Some(b'{' | b'[') => Self::Json,
            Some(b'<') => Self::Xml,
            // YAML quotes the statement, text does not, and no statement begins with a quoted name.
            _ if body.starts_with(b"Query Text: \"") => Self::Yaml,
            _ => Self::Text,
        }
    }
}

/// The statement of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    /// Its text, as the client sent it.
    pub sql: Cow<'a, [u8]>,
    /// `$1 = …`, where the plan has them (release 16).
    pub params: Option<Cow<'a, [u8]>>,
}

/// Finds the statement of a plan.
#[must_use]
pub fn query(body: &[u8]) -> Option<Query<'_>> {
    match Format::of(body) {
        Format::Text => text::query(body),
        format => markup::query(format, body),
    }
}

/// Whether the statement was run by a function or a trigger (`auto_explain.log_nested_statements`), by the CONTEXT of
/// its plan. Only parameters stand in the CONTEXT of what the client sent (`tcop/postgres.c`, `ParamsErrorCallback`).
#[must_use]
pub fn is_nested(context: &[u8]) -> bool {
    let own = [&b"portal \""[..], b"unnamed portal with parameters", b"extended query with parameters"];
    !context.is_empty() && !own.iter().any(|start| context.starts_with(start))
}

/// Buffers of a whole plan, children included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Shared buffers found.
    pub shared_hit: u64,
    /// Shared buffers read.
    pub shared_read: u64,
    /// Shared buffers dirtied.
    pub shared_dirtied: u64,
    /// Shared buffers written.
    pub shared_written: u64,
    /// Temporary blocks read.
    pub temp_read: u64,
    /// Temporary blocks written.
    pub temp_written: u64,
}

/// What a plan measured (`auto_explain.log_analyze`, `log_buffers`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rows of the top node.
    pub rows: Option<u64>,
    /// Buffers of the top node.
    pub buffers: Option<Buffers>,
    /// The node that took most time by itself, and that time.
    pub slowest: Option<(String, Micros)>,
}

/// Reads what a plan measured.
#[must_use]
pub fn figures(body: &[u8]) -> Figures {
    let (nodes, buffers) = match Format::of(body) {
        Format::Text => text::nodes(body),
        format => markup::nodes(format, body),
    };
    let rows = nodes.first().and_then(|top| top.rows);
    Figures { rows, buffers, slowest: slowest(&nodes) }
}

/// The plan with `?` for its values; `normalise` does the same for its SQL.
#[must_use]
pub fn masked(body: &[u8], normalise: impl Fn(&[u8]) -> String) -> String {
    let mut out = Vec::with_capacity(body.len());
    match Format::of(body) {
        Format::Text => text::mask(body, &normalise, &mut out),
        format => markup::mask(format, body, &normalise, &mut out),
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A node of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    /// Grows with the distance from the top.
    depth: usize,
    name: String,
    /// Time of one loop until its last row.
    time: Option<Micros>,
    rows: Option<u64>,
    loops: u64,
}

/// The node with most time less that of its children; the first of several equals.
///
/// A parallel node's time is the mean of its processes, which run at once: a child is never taken to last longer
/// than its parent.
fn slowest(nodes: &[Node]) -> Option<(String, Micros)> {
    let mut total: Vec<u64> = Vec::with_capacity(nodes.len());
    let mut own: Vec<u64> = Vec::with_capacity(nodes.len());
    let mut path: Vec<usize> = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        while path.last().is_some_and(|parent| nodes[*parent].depth >= node.depth) {
            path.pop();
        }
        let mut time = node.time.unwrap_or_default().0.saturating_mul(node.loops);
        if let Some(parent) = path.last() {
            time = time.min(total[*parent]);
            own[*parent] = own[*parent].saturating_sub(time);
        }
        total.push(time);
        own.push(time);
        path.push(number);
    }
    let timed = nodes.iter().zip(own).filter(|(node, _)| node.time.is_some());
    let best = timed.reduce(|best, other| if other.1 > best.1 { other } else { best })?;
    Some((best.0.name.clone(), Micros(best.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "\nQuery Text: select *\n from big where x = 'it''s\n secret' and y > 42\n\
        Query Parameters: $1 = 'hidden', $2 = '7'\n\
        Sort  (cost=10.00..11.00 rows=100 width=8) (actual time=9.000..9.500 rows=90 loops=1)\n\
        \x20 Output: id, 1234\n\
        \x20 Sort Key: big.id\n\
        \x20 Sort Method: quicksort  Memory: 25kB\n\
        \x20 Buffers: shared hit=7 read=2, temp read=3 written=4\n\
        \x20 ->  Seq Scan on public.big  (cost=0.00..5.00 rows=100 width=8) (actual time=0.010..3.000 rows=45 loops=2)\n\
        \x20       Filter: ((x = 'it''s\n secret'::text) AND (y > 42))\n\
        \x20       Rows Removed by Filter: 5\n\
        \x20       Buffers: shared hit=5\nQuery Identifier: 77";

    const JSON: &str = r#"
{
  "Query Text": "select *\n from big where x = 'it''s secret'",
  "Query Parameters": "$1 = 'hidden'",
  "Plan": {
    "Node Type": "Sort",
    "Actual Total Time": 9.500,
    "Actual Rows": 90,
    "Actual Loops": 1,
    "Output": ["id", "1234"],
    "Shared Hit Blocks": 7,
    "Shared Read Blocks": 2,
    "Temp Written Blocks": 4,
    "Workers": [
      {
        "Worker Number": 0,
        "Actual Total Time": 99.0
      }
    ],
    "Plans": [
      {
        "Node Type": "Seq Scan",
        "Relation Name": "big",
        "Schema": "public",
        "Alias": "b",
        "Actual Total Time": 3.000,
        "Actual Rows": 45,
        "Actual Loops": 2,
        "Shared Hit Blocks": 5,
        "Filter": "(b.x = 'it''s \"secret\"'::text)"
      }
    ]
  }
}"#;

    const YAML: &str = r#"
Query Text: "select *\n from big where x = 'it''s secret'"
Query Parameters: "$1 = 'hidden'"
Plan: 
  Node Type: "Sort"
  Actual Total Time: 9.500
  Actual Rows: 90
  Actual Loops: 1
  Output: 
    - "id"
    - "1234"
  Shared Hit Blocks: 7
  Shared Read Blocks: 2
  Temp Written Blocks: 4
  Plans: 
    - Node Type: "Seq Scan"
      Relation Name: "big"
      Schema: "public"
      Alias: "b"
      Actual Total Time: 3.000
      Actual Rows: 45
      Actual Loops: 2
      Shared Hit Blocks: 5
      Filter: "(b.x = 'it''s \"secret\"'::text)""#;

    const XML: &str = r#"
<explain xmlns="http://www.postgresql.org/2009/explain">
  <Query-Text>select *
 from big where x = 'it''s secret'</Query-Text>
  <Query-Parameters>$1 = 'hidden'</Query-Parameters>
  <Plan>
    <Node-Type>Sort</Node-Type>
    <Actual-Total-Time>9.500</Actual-Total-Time>
    <Actual-Rows>90</Actual-Rows>
    <Actual-Loops>1</Actual-Loops>
    <Output>
      <Item>id</Item>
      <Item>1234</Item>
    </Output>
    <Shared-Hit-Blocks>7</Shared-Hit-Blocks>
    <Shared-Read-Blocks>2</Shared-Read-Blocks>
    <Temp-Written-Blocks>4</Temp-Written-Blocks>
    <Plans>
      <Plan>
        <Node-Type>Seq Scan</Node-Type>
        <Relation-Name>big</Relation-Name>
        <Schema>public</Schema>
        <Alias>b</Alias>
        <Actual-Total-Time>3.000</Actual-Total-Time>
        <Actual-Rows>45</Actual-Rows>
        <Actual-Loops>2</Actual-Loops>
        <Shared-Hit-Blocks>5</Shared-Hit-Blocks>
        <Filter>(b.x &lt; 'it''s "secret"'::text)</Filter>
      </Plan>
    </Plans>
  </Plan>
</explain>"#;

    #[test]
    fn statements_and_parameters_of_every_format() {
        let found = query(TEXT.as_bytes()).unwrap();
        assert_eq!(&*found.sql, b"select *\n from big where x = 'it''s\n secret' and y > 42");
        assert_eq!(found.params.as_deref(), Some(&b"$1 = 'hidden', $2 = '7'"[..]));
        for (format, body) in [(Format::Json, JSON), (Format::Yaml, YAML), (Format::Xml, XML)] {
            assert_eq!(Format::of(body.as_bytes()), format);
            let found = query(body.as_bytes()).unwrap();
            assert_eq!(&*found.sql, b"select *\n from big where x = 'it''s secret'", "{format:?}");
            assert_eq!(found.params.as_deref(), Some(&b"$1 = 'hidden'"[..]), "{format:?}");
        }
    }

    #[test]
    fn figures_of_every_format() {
        // Sort: 9.5 ms less 2 × 3 ms of its child is 3.5 ms; the scan took 6 ms.
        let buffers = Buffers { shared_hit: 7, shared_read: 2, temp_written: 4, ..Buffers::default() };
        assert_eq!(
            figures(TEXT.as_bytes()),
            Figures {
                rows: Some(90),
                buffers: Some(Buffers { temp_read: 3, ..buffers }),
                slowest: Some(("Seq Scan on public.big".to_owned(), Micros(6000))),
            }
        );
        for body in [JSON, YAML, XML] {
            let slowest = Some(("Seq Scan on public.big b".to_owned(), Micros(6000)));
            let expected = Figures { rows: Some(90), buffers: Some(buffers), slowest };
            assert_eq!(figures(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_plan_that_was_not_analysed_has_no_figures() {
        let body = b"\nQuery Text: select 1\nResult  (cost=0.00..0.01 rows=1 width=4)";
        assert_eq!(figures(body), Figures::default());
        assert_eq!(&*query(body).unwrap().sql, b"select 1");
    }

    #[test]
    fn values_are_masked_and_everything_else_stays() {
        let text = masked(TEXT.as_bytes(), |_| "SQL".to_owned());
        let expected = "\nQuery Text: SQL\n\
            Query Parameters: $1 = ?, $2 = ?\n\
            Sort  (cost=10.00..11.00 rows=100 width=8) (actual time=9.000..9.500 rows=90 loops=1)\n\
            \x20 Output: id, ?\n\
            \x20 Sort Key: big.id\n\
            \x20 Sort Method: quicksort  Memory: 25kB\n\
            \x20 Buffers: shared hit=7 read=2, temp read=3 written=4\n\
            \x20 ->  Seq Scan on public.big  (cost=0.00..5.00 rows=100 width=8) (actual time=0.010..3.000 rows=45 loops=2)\n\
            \x20       Filter: ((x = ?::text) AND (y > ?))\n\
            \x20       Rows Removed by Filter: 5\n\
            \x20       Buffers: shared hit=5\nQuery Identifier: 77";
        assert_eq!(text, expected);
        for body in [JSON, YAML, XML] {
            let text = masked(body.as_bytes(), |_| "SQL \"a\" & b".to_owned());
            for secret in ["secret", "hidden", "1234", "it''s"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
            for kept in ["Seq Scan", "9.500", "public", "90", "\"b\"", "::text)"] {
                assert!(text.contains(kept) || body == XML && kept == "\"b\"", "{kept} not in {text}");
            }
        }
        let json = masked(JSON.as_bytes(), |_| "SQL \"a\"".to_owned());
        assert!(json.contains(r#""Query Text": "SQL \"a\"","#), "{json}");
        assert!(json.contains(r#""Filter": "(b.x = ?::text)""#), "{json}");
        assert!(masked(XML.as_bytes(), |_| String::new()).contains("<Filter>(b.x &lt; ?::text)</Filter>"));
    }

    /// As PostgreSQL 15 writes `auto_explain.log_settings`.
    #[test]
    fn settings_are_values_in_each_format() {
        let texts = [
            (
                "\nQuery Text: x\nResult  (cost=0.00..0.01 rows=1 width=4)\nSettings: search_path = 'hunter', work_mem = '64MB'",
                "\nQuery Text: x\nResult  (cost=0.00..0.01 rows=1 width=4)\nSettings: search_path = ?, work_mem = ?",
            ),
            (
                "\n{\n  \"Plan\": {\n    \"Node Type\": \"Result\"\n  },\n  \"Settings\": {\n    \"search_path\": \"hunter\",\n    \"work_mem\": \"64MB\"\n  },\n  \"Operation\": \"Select\"\n}",
                "\n{\n  \"Plan\": {\n    \"Node Type\": \"Result\"\n  },\n  \"Settings\": {\n    \"search_path\": \"?\",\n    \"work_mem\": \"?\"\n  },\n  \"Operation\": \"Select\"\n}",
            ),
            (
                "\nQuery Text: \"x\"\nPlan: \n  Node Type: \"Result\"\nSettings: \n  search_path: \"hunter\"\n  work_mem: \"64MB\"\nOperation: \"Select\"",
                "\nQuery Text: \"x\"\nPlan: \n  Node Type: \"Result\"\nSettings: \n  search_path: \"?\"\n  work_mem: \"?\"\nOperation: \"Select\"",
            ),
            (
                "\n<explain>\n  <Settings>\n    <search_path>hunter</search_path>\n  </Settings>\n  <Operation>Select</Operation>\n</explain>",
                "\n<explain>\n  <Settings>\n    <search_path>?</search_path>\n  </Settings>\n  <Operation>Select</Operation>\n</explain>",
            ),
        ];
        for (body, expected) in texts {
            assert_eq!(masked(body.as_bytes(), |_| "x".to_owned()), expected);
        }
    }

    #[test]
    fn a_plan_that_is_cut_off_shows_nothing_more() {
        for body in [TEXT, JSON, YAML, XML] {
            for end in 0..body.len() {
                let text = masked(&body.as_bytes()[..end], |_| String::new());
                assert!(!text.contains("secret") && !text.contains("hidden"), "{text}");
            }
        }
    }

    #[test]
    fn workers_do_not_make_a_child_longer_than_its_parent() {
        let node = |depth, name: &str, time, loops| Node {
            depth,
            name: name.to_owned(),
            time: Some(Micros(time)),
            rows: None,
            loops,
        };
        let nodes = [node(0, "Gather", 100, 1), node(2, "Scan", 90, 3), node(4, "Inner", 10, 3)];
        assert_eq!(slowest(&nodes), Some(("Scan".to_owned(), Micros(70))));
    }

    proptest! {
        #[test]
        fn no_bytes_can_hurt(body in prop::collection::vec(any::<u8>(), 0..300), start in 0_usize..5) {
            let start: &[u8] = [&b"\nQuery Text: "[..], b"\n{\"Query Text\": ", b"\n<explain", b"\nQuery Text: \"a\"\nPlan:\n", b""][start];
            let body = [start, &body].concat();
            let _ = query(&body);
            let _ = figures(&body);
            let _ = masked(&body, |_| String::new());
        }
    }
}
