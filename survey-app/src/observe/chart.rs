//! Charts as inline SVG: drawn here, coloured by classes, readable without scripts. Positions are attributes, never
//! `style`, which the page's own policy forbids. Every label is escaped: names come from other processes.

use std::fmt::Write;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
const BAR: f64 = 22.0;

/// One line, or one layer of a stack.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// What the legend says.
    pub(super) name: String,
    /// The class that gives its colour.
    pub(super) class: &'static str,
    /// A value a span; `None` where there is nothing to show.
    pub(super) values: Vec<Option<f64>>,
}

/// A chart over time.
#[derive(Clone, Debug)]
pub(super) struct Chart<'a> {
    /// What it shows, for those who cannot see it.
    pub(super) label: &'a str,
    /// What the numbers are, after each of them.
    pub(super) unit: &'a str,
    /// Whether the series are layers, the first at the bottom.
    pub(super) stacked: bool,
    /// From, to: seconds.
    pub(super) spans: &'a [(f64, f64)],
    /// The series.
    pub(super) series: &'a [Series],
}

impl Chart<'_> {
    /// As SVG.
    pub(super) fn svg(&self) -> String {
        let top = self.top();
        let step = step(top);
        let ceiling = (top / step).ceil().max(1.0) * step;
        let end = self.spans.last().map_or(1.0, |s| s.1).max(1e-9);
        let x = |at: f64| LEFT + at / end * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value.min(ceiling) / ceiling * (HEIGHT - TOP - BOTTOM);
        let mut out = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(self.label)
        );
        let lines = (ceiling / step).round() as u32;
        for n in 0..=lines {
            let (value, at) = (f64::from(n) * step, y(f64::from(n) * step));
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text class=\"end\" x=\"{}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                tick(value, step)
            );
        }
        for (at, anchor) in [(0.0, "start"), (end / 2.0, "middle"), (end, "end")] {
            let _ = write!(
                out,
                "<text class=\"{anchor}\" x=\"{:.1}\" y=\"{}\">{}</text>",
                x(at),
                HEIGHT - 6.0,
                clock(at)
            );
        }
        if self.stacked {
            self.layers(&mut out, &x, &y)
        } else {
            self.lines(&mut out, &x, &y)
        }
        self.tips(&mut out, &x);
        out.push_str("</svg>");
        out
    }

    fn top(&self) -> f64 {
        let sum = |at: usize| {
            let here = self.series.iter().filter_map(|s| s.values.get(at).copied().flatten());
            if self.stacked { here.sum() } else { here.fold(0.0, f64::max) }
        };
        (0..self.spans.len()).map(sum).fold(0.0, f64::max)
    }

    /// Steps, because a value is the average of its span.
    fn layers(&self, out: &mut String, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
        let mut floor = vec![0.0; self.spans.len()];
        for series in self.series {
            let roof: Vec<f64> = floor
                .iter()
                .zip(&series.values)
                .map(|(below, value)| below + value.unwrap_or_default())
                .collect();
            let mut path = String::new();
            for (n, ((from, to), roof)) in self.spans.iter().zip(&roof).enumerate() {
                let command = if n == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{command}{:.1} {:.1}H{:.1}", x(*from), y(*roof), x(*to));
            }
            for ((from, to), floor) in self.spans.iter().zip(&floor).rev() {
                let _ = write!(path, "L{:.1} {:.1}H{:.1}", x(*to), y(*floor), x(*from));
            }
            if roof != floor {
                let _ = write!(out, "<path class=\"{} fill\" d=\"{path}Z\"/>", series.class);
            }
            floor = roof;
        }
    }

    fn lines(&self, out: &mut String, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) {
        for series in self.series {
            let mut path = String::new();
            let mut pen_is_down = false;
            for ((from, to), value) in self.spans.iter().zip(&series.values) {
                let Some(value) = value else {
                    pen_is_down = false;
                    continue;
                };
                // A single point is drawn as wide as its span.
                let _ = match pen_is_down {
                    true => write!(path, "L{:.1} {:.1}", x((from + to) / 2.0), y(*value)),
                    false => write!(path, "M{:.1} {:.1}H{:.1}", x(*from), y(*value), x((from + to) / 2.0)),
                };
                pen_is_down = true;
            }
            let _ = write!(out, "<path class=\"{} line\" d=\"{path}\"/>", series.class);
        }
    }

    /// What the pointer reads: a column a span.
    fn tips(&self, out: &mut String, x: &impl Fn(f64) -> f64) {
        for (n, (from, to)) in self.spans.iter().enumerate() {
            let mut lines = vec![format!("{} to {}", clock(*from), clock(*to))];
            for series in self.series.iter().rev() {
                if let Some(value) = series.values.get(n).copied().flatten() {
                    lines.push(format!("{}: {} {}", series.name, number(value), self.unit));
                }
            }
            let _ = write!(
                out,
                "<rect class=\"tip\" x=\"{:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\"><title>{}</title></rect>",
                x(*from),
                (x(*to) - x(*from)).max(0.5),
                HEIGHT - TOP - BOTTOM,
                escape(&lines.join("\n"))
            );
        }
    }
}

/// A bar of parts: (class, name, value), as long as their sum is of `longest`.
pub(super) fn bar(parts: &[(&'static str, &str, f64)], longest: f64, label: &str) -> String {
    let mut out = format!(
        "<svg class=\"bar\" viewBox=\"0 0 1000 {BAR}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        escape(label)
    );
    let mut at = 0.0;
    for (class, name, value) in parts {
        let width = value / longest.max(1e-12) * 1000.0;
        let _ = write!(
            out,
            "<rect class=\"{class} fill\" x=\"{at:.2}\" y=\"0\" width=\"{width:.2}\" height=\"{BAR}\"><title>{}: {} ms</title></rect>",
            escape(name),
            number(*value)
        );
        at += width;
    }
    out.push_str("</svg>");
    out
}

/// 1, 2 or 5 times a power of ten, so that there are at most five lines.
fn step(top: f64) -> f64 {
    if top <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf((top / 5.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|s| top / s <= 5.0).unwrap_or(power * 10.0)
}

fn tick(value: f64, step: f64) -> String {
    let digits = if step >= 1.0 { 0 } else { (-step.log10().floor()).clamp(0.0, 6.0) as usize };
    if value >= 10_000.0 { format!("{}k", value / 1000.0) } else { format!("{value:.digits$}") }
}

/// Three digits that matter.
pub fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_string(),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.01 => format!("{v:.2}"),
        v => format!("{v:.4}"),
    }
}

/// Minutes and seconds.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}

/// Text in an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_few_round_steps() {
        for (top, expected) in [(1.0, 0.2), (4.0, 1.0), (7.0, 2.0), (12.0, 5.0), (99.0, 20.0), (0.0, 1.0)] {
            assert!((step(top) - expected).abs() < 1e-9, "{top}: {}", step(top));
        }
        assert_eq!([tick(0.4, 0.2), tick(15.0, 5.0), tick(20_000.0, 5_000.0)], ["0.4", "15", "20k"]);
        assert_eq!(
            [number(0.0), number(0.004), number(1.234), number(123.4)],
            ["0", "0.0040", "1.23", "123"]
        );
        assert_eq!(clock(75.2), "1:15");
    }

    #[test]
    fn layers_stand_on_each_other() {
        let one = |name: &str, class, value| Series { name: name.into(), class, values: vec![Some(value)] };
        let series = [one("a", "c-app", 1.0), one("b", "c-redis", 3.0), one("none", "c-lock", 0.0)];
        let chart = Chart { label: "<t>", unit: "ms", stacked: true, spans: &[(0.0, 10.0)], series: &series };
        let svg = chart.svg();
        // 4 ms in all, the axis ends at 4: the plot is 156 high and begins at 10; one quarter is a.
        assert!(
            svg.contains("<path class=\"c-app fill\" d=\"M46.0 127.0H472.0L472.0 166.0H46.0Z\"/>"),
            "{svg}"
        );
        assert!(
            svg.contains("<path class=\"c-redis fill\" d=\"M46.0 10.0H472.0L472.0 127.0H46.0Z\"/>"),
            "{svg}"
        );
        assert!(!svg.contains("c-lock") && svg.contains("aria-label=\"&lt;t&gt;\""));
        assert!(svg.contains("<title>0:00 to 0:10\nnone: 0 ms\nb: 3.00 ms\na: 1.00 ms</title>"));
    }

    #[test]
    fn a_line_has_gaps() {
        let series =
            [Series { name: "p".into(), class: "s0", values: vec![Some(1.0), None, Some(1.0), Some(0.5)] }];
        let spans = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)];
        let svg = Chart { label: "l", unit: "", stacked: false, spans: &spans, series: &series }.svg();
        let path = svg.split("line\" d=\"").last().unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
    }
}
