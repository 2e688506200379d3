//! Drawings of numbers as SVG: lines over the seconds of a run, and response times on one scale for all views.
//!
//! Serves the page. Knows numbers, not what they mean. Colours are classes of the page's style sheet; nothing that
//! somebody else wrote is put into a drawing.

use crate::times::Times;
use crate::words::time;
use std::fmt::Write;

const WIDTH: u64 = 960;
const HEIGHT: u64 = 200;
const LEFT: u64 = 64;
const TOP: u64 = 12;
const BOTTOM: u64 = 24;

/// Lines over seconds, from 0 up.
pub(crate) struct Chart {
    pub(crate) lines: Vec<Line>,
    /// A value to hold the lines against.
    pub(crate) mark: Option<u64>,
    /// How a value is written.
    pub(crate) label: fn(u64) -> String,
    /// What it is called.
    pub(crate) name: &'static str,
}

/// One value a second.
pub(crate) struct Line {
    pub(crate) class: &'static str,
    pub(crate) values: Vec<u64>,
    pub(crate) filled: bool,
}

impl Chart {
    pub(crate) fn draw(&self) -> String {
        let seconds = self.lines.iter().map(|l| l.values.len()).max().unwrap_or(0);
        let top =
            self.lines.iter().flat_map(|l| l.values.iter().copied()).chain(self.mark).max().unwrap_or(0);
        let top = round_up(top.max(1));
        let y = |value: u64| {
            let height = HEIGHT - TOP - BOTTOM;
            (HEIGHT - BOTTOM) as f64 - value as f64 / top as f64 * height as f64
        };
        let x = |at: usize| {
            let last = seconds.saturating_sub(1).max(1);
            LEFT as f64 + at as f64 / last as f64 * (WIDTH - LEFT) as f64
        };
        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\"><g class=\"grid\">",
            self.name
        );
        for quarter in 0..=4 {
            let value = top / 4 * quarter;
            let at = y(value);
            let _ = write!(
                out,
                "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\">{}</text>",
                LEFT - 8,
                at + 4.0,
                (self.label)(value)
            );
        }
        out.push_str("</g><g class=\"axis\">");
        for at in ticks(seconds) {
            let _ = write!(out, "<text x=\"{:.1}\" y=\"{}\">{at} s</text>", x(at), HEIGHT - 6);
        }
        out.push_str("</g>");
        for line in &self.lines {
            let points: Vec<String> =
                line.values.iter().enumerate().map(|(i, v)| format!("{:.1},{:.1}", x(i), y(*v))).collect();
            let points = points.join(" ");
            if line.filled && !line.values.is_empty() {
                let (from, to, floor) = (x(0), x(line.values.len() - 1), y(0));
                let _ = write!(
                    out,
                    "<polygon class=\"area {}\" points=\"{from:.1},{floor:.1} {points} {to:.1},{floor:.1}\"/>",
                    line.class
                );
            }
            let _ = write!(out, "<polyline class=\"line {}\" points=\"{points}\"/>", line.class);
        }
        if let Some(mark) = self.mark {
            let at = y(mark);
            let _ = write!(
                out,
                "<line class=\"mark\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>"
            );
        }
        out.push_str("</svg>");
        out
    }
}

/// The next number that divides into four and looks round.
fn round_up(value: u64) -> u64 {
    // At most 4e18, four times which still is a u64.
    let mut step: u64 = 4;
    while step < value {
        if let Some(round) = (1..=4).map(|times| step * times).find(|round| *round >= value) {
            return round;
        }
        let Some(next) = step.checked_mul(10) else { return value };
        step = next;
    }
    step
}

/// At most ten seconds to name.
fn ticks(seconds: usize) -> Vec<usize> {
    let steps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 21_600, 86_400];
    let step = steps.into_iter().find(|s| seconds / s <= 10).unwrap_or(seconds.max(1));
    // The last name needs room to its right.
    (0..seconds).step_by(step).filter(|at| (at + step / 2) < seconds.max(2)).collect()
}

/// Response times of several views on one scale, each power of ten as wide as the other.
pub(crate) struct Spread {
    from: f64,
    to: f64,
}

const SPREAD_WIDTH: f64 = 260.0;

impl Spread {
    /// A scale on which all of these have room.
    pub(crate) fn of<'a>(all: impl Iterator<Item = &'a Times>) -> Spread {
        let (mut min, mut max) = (u64::MAX, 1);
        for times in all.filter(|t| t.count() > 0) {
            min = min.min(times.min());
            max = max.max(times.max());
        }
        let from = (min.min(max).max(1) as f64).log10().floor();
        Spread { from, to: ((max as f64).log10().ceil()).max(from + 1.0) }
    }

    /// From where to where it goes.
    pub(crate) fn words(&self) -> String {
        format!("{} to {}, each tenfold as wide", power(self.from), power(self.to))
    }

    /// Fastest to slowest as a line, median to 99 % as a bar, the median as a stroke.
    pub(crate) fn draw(&self, times: &Times) -> String {
        let x = |us: u64| {
            let at = ((us.max(1) as f64).log10() - self.from) / (self.to - self.from);
            at.clamp(0.0, 1.0) * (SPREAD_WIDTH - 4.0) + 2.0
        };
        let (p50, p99) = (x(times.percentile(50)), x(times.percentile(99)));
        let mut out =
            format!("<svg class=\"spread\" viewBox=\"0 0 {SPREAD_WIDTH} 18\" aria-hidden=\"true\">");
        let mut power = self.from;
        while power <= self.to {
            let at = x(10f64.powf(power) as u64);
            let _ = write!(out, "<line class=\"tick\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"18\"/>");
            power += 1.0;
        }
        let _ = write!(
            out,
            "<line class=\"range\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"9\" y2=\"9\"/>\
             <rect class=\"most\" x=\"{p50:.1}\" width=\"{:.1}\" y=\"5\" height=\"8\"/>\
             <line class=\"median\" x1=\"{p50:.1}\" x2=\"{p50:.1}\" y1=\"2\" y2=\"16\"/></svg>",
            x(times.min()),
            x(times.max()),
            (p99 - p50).max(0.5)
        );
        out
    }
}

fn power(exponent: f64) -> String {
    time(10f64.powf(exponent) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers() {
        let got: Vec<u64> = [1, 4, 5, 275_000, 1_250_000, 4_100].into_iter().map(round_up).collect();
        assert_eq!(got, [4, 4, 8, 400_000, 1_600_000, 8_000]);
        for value in (1..200_000).step_by(37) {
            let top = round_up(value);
            assert!(top >= value && top.is_multiple_of(4) && top < value * 4 + 4, "{value} → {top}");
        }
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }

    #[test]
    fn few_names() {
        assert_eq!(ticks(0), Vec::<usize>::new());
        assert_eq!(ticks(1), [0]);
        assert_eq!(ticks(61), [0, 10, 20, 30, 40, 50]);
        for seconds in [2, 59, 600, 5_000, 100_000] {
            assert!(ticks(seconds).len() <= 11, "{seconds}");
        }
    }

    #[test]
    fn a_line_goes_where_its_numbers_go() {
        let lines = vec![Line { class: "requests", values: vec![0, 4], filled: false }];
        let svg = Chart { lines, mark: Some(2), label: |v| v.to_string(), name: "n" }.draw();
        assert!(svg.contains("points=\"64.0,176.0 960.0,12.0\""), "{svg}");
        assert!(svg.contains("class=\"mark\" x1=\"64\" x2=\"960\" y1=\"94.0\""), "half way up: {svg}");
    }
}
