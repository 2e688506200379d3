//! Charts as inline SVG: drawn here, styled by classes, readable without scripts. Positions are attributes, never
//! `style`, which the page's own policy forbids. Everything drawn comes from numbers; labels are escaped anyway.
//!
//! Positions are integers in tenths of a user unit, so that the same report gives the same bytes everywhere.

use std::fmt::Write as _;

use super::super::totals::mean;
use crate::report::{Curve, Hour, HourLoad, Traffic};
use crate::units::{Micros, Timestamp};
use crate::words::{clock, count, counted, duration, hour_label, instant};

const WIDTH: u64 = 960;
const HEIGHT: u64 = 230;
const LEFT: u64 = 52;
const RIGHT: u64 = 60;
const TOP: u64 = 14;
const BOTTOM: u64 = 26;
const PLOT_WIDTH: u64 = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT: u64 = HEIGHT - TOP - BOTTOM;

/// A bar of 0 to 1000 thousandths, for a table's cell.
pub(super) fn bar(permille: u64, class: &str) -> String {
    let width = permille.min(1000);
    format!(
        "<svg class=\"bar {class}\" viewBox=\"0 0 1000 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"M0 0h{width}v1H0z\"/></svg>"
    )
}

/// The hours of one statement as a line of bars, for a table's cell.
pub(super) fn spark(hours: &[HourLoad], first: Timestamp, last: Timestamp) -> String {
    const BARS: usize = 24;
    let buckets = Buckets::new(first, last, BARS);
    let mut calls = vec![0_u64; buckets.len];
    for hour in hours {
        let at = buckets.of(hour.hour);
        calls[at] = calls[at].saturating_add(hour.calls);
    }
    let max = calls.iter().copied().max().unwrap_or(0);
    if max == 0 {
        return String::new();
    }
    let mut path = String::new();
    let step = 960 / buckets.len as u64;
    for (i, calls) in calls.iter().enumerate().filter(|(_, calls)| **calls > 0) {
        let height = scaled(*calls, max, 200).max(8);
        let _ = write!(path, "M{} 200v-{height}h{}v{height}z", i as u64 * step, step * 4 / 5);
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 960 200\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"{path}\"/></svg>"
    )
}

/// The hours of one statement: bars of calls, each with its numbers as a tooltip.
pub(super) fn statement_hours(hours: &[HourLoad], first: Timestamp, last: Timestamp) -> String {
    let buckets = Buckets::new(first, last, 48);
    let mut loads = vec![(0_u64, 0_u64); buckets.len];
    for hour in hours {
        let load = &mut loads[buckets.of(hour.hour)];
        load.0 = load.0.saturating_add(hour.calls);
        load.1 = load.1.saturating_add(hour.duration_us.0);
    }
    let max = loads.iter().map(|load| load.0).max().unwrap_or(0);
    let Some(peak) = loads.iter().position(|load| load.0 == max).filter(|_| max > 0) else {
        return String::new();
    };
    let (width, height) = (480_u64, 90_u64);
    let mut out = format!(
        "<svg class=\"chart small one\" viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"Calls by time, {} to {} UTC; most, {}, from {}\">",
        height + 18,
        instant(first),
        instant(last),
        count(max),
        instant(buckets.start(peak)),
    );
    let step = width * 10 / buckets.len as u64;
    for (i, (calls, us)) in loads.iter().enumerate().filter(|(_, load)| load.0 > 0) {
        let bar = scaled(*calls, max, height * 10).max(10);
        let _ = write!(
            out,
            "<path d=\"M{} {height}v-{}h{}v{}z\"><title>{}: {}, {} on average</title></path>",
            tenths(i as u64 * step),
            tenths(bar),
            tenths((step * 17 / 20).max(1)),
            tenths(bar),
            hour_label(buckets.start(i)),
            counted(*calls, "call"),
            duration(mean(Micros(*us), *calls).unwrap_or_default()),
        );
    }
    let _ = write!(
        out,
        "<line class=\"axis\" x1=\"0\" x2=\"{width}\" y1=\"{height}\" y2=\"{height}\"/><text x=\"0\" y=\"{0}\">{1}</text><text class=\"end\" x=\"{width}\" y=\"{0}\">{2}</text></svg>",
        height + 14,
        hour_label(first),
        hour_label(last),
    );
    out
}

/// Shortest, median, 95th and 99th percentile and longest call on a logarithmic line.
pub(super) fn percentiles(values: [(&str, Micros); 5]) -> String {
    let (low, high) = (log2(values[0].1.0), log2(values[4].1.0));
    let place = |us: Micros| match high - low {
        0 => 2400,
        span => (log2(us.0).saturating_sub(low)).min(span) * 4800 / span,
    };
    let mut out =
        String::from("<svg class=\"chart small strip\" viewBox=\"-8 0 496 26\" role=\"img\" aria-label=\"");
    for (i, (name, us)) in values.iter().enumerate() {
        let _ = write!(out, "{}{name} {}", if i > 0 { ", " } else { "" }, duration(*us));
    }
    out.push_str("\"><line class=\"axis\" x1=\"0\" x2=\"480\" y1=\"13\" y2=\"13\"/>");
    let (median, p95) = (place(values[1].1), place(values[2].1));
    let _ = write!(
        out,
        "<rect class=\"box\" x=\"{}\" y=\"8\" width=\"{}\" height=\"10\" rx=\"2\"/>",
        tenths(median),
        tenths(p95.saturating_sub(median).max(10))
    );
    for (name, us) in values {
        let _ = write!(
            out,
            "<circle class=\"dot\" cx=\"{}\" cy=\"13\" r=\"4\"><title>{name}: {}</title></circle>",
            tenths(place(us)),
            duration(us)
        );
    }
    out.push_str("</svg>");
    out
}

/// Statements a second over the day: the average as a line, between the fewest and the most of a second.
pub(super) fn traffic(points: &[TrafficPoint]) -> String {
    let max = points.iter().map(|p| p.max.max(p.average_tenths / 10)).max().unwrap_or(0).max(1);
    let axis = Axis::of(max);
    let (Some(from), Some(to)) = (points.first(), points.last()) else { return String::new() };
    let span = (to.at.0.saturating_sub(from.at.0)).max(1).unsigned_abs();
    let x = |at: Timestamp| {
        LEFT * 10 + scaled(at.0.saturating_sub(from.at.0).max(0).unsigned_abs(), span, PLOT_WIDTH * 10)
    };
    let y =
        |value_tenths: u64| (TOP + PLOT_HEIGHT) * 10 - scaled(value_tenths, axis.top * 10, PLOT_HEIGHT * 10);
    let mut out = open("Statements a second, average, most and fewest");
    grid(&mut out, &axis, count, "a second");
    let (mut upper, mut lower, mut line) = (String::new(), Vec::new(), String::new());
    for (i, p) in points.iter().enumerate() {
        let at = tenths(x(p.at));
        let _ = write!(upper, "{}{at} {}", if i == 0 { "M" } else { "L" }, tenths(y(p.max * 10)));
        lower.push(format!("L{at} {}", tenths(y(p.min * 10))));
        let _ = write!(line, "{}{at} {}", if i == 0 { "M" } else { "L" }, tenths(y(p.average_tenths)));
    }
    let lower: String = lower.into_iter().rev().collect();
    let _ = write!(out, "<path class=\"band\" d=\"{upper}{lower}z\"/><path class=\"line\" d=\"{line}\"/>");
    // Invisible columns carry the tooltips; the style sheet gives them their height.
    out.push_str("<g class=\"hover\">");
    let step = (PLOT_WIDTH * 10 / points.len() as u64).max(1);
    for p in points {
        let _ = write!(
            out,
            "<rect x=\"{}\" width=\"{}\"><title>{}: {} a second, most {}, fewest {}</title></rect>",
            tenths(x(p.at).saturating_sub(step / 2)),
            tenths(step),
            hour_label(p.at),
            p.average(),
            count(p.max),
            count(p.min)
        );
    }
    out.push_str("</g>");
    time_labels(&mut out, &points.iter().map(|p| p.at).collect::<Vec<_>>(), x);
    out.push_str("</svg>");
    out
}

/// One point of the traffic chart.
pub(super) struct TrafficPoint {
    /// When the stretch begins.
    pub(super) at: Timestamp,
    average_tenths: u64,
    /// Most in one second.
    pub(super) max: u64,
    /// Fewest in one second.
    pub(super) min: u64,
    /// Statements in the stretch.
    pub(super) calls: u64,
}

impl TrafficPoint {
    /// The average a second with one decimal.
    pub(super) fn average(&self) -> String {
        format!("{}.{}", count(self.average_tenths / 10), self.average_tenths % 10)
    }

    /// The same in tenths, to sort by.
    pub(super) fn average_tenths(&self) -> u64 {
        self.average_tenths
    }
}

/// At most `limit` points, neighbours joined. Stretches without statements count as nothing.
pub(super) fn traffic_points(traffic: &[Traffic], limit: usize) -> Vec<TrafficPoint> {
    let (Some(first), Some(last)) = (traffic.first(), traffic.last()) else { return Vec::new() };
    let stretches = usize::try_from(last.at.0.saturating_sub(first.at.0) / 300_000_000).unwrap_or(0) + 1;
    let end = Timestamp(last.at.0.saturating_add(299_999_999));
    let buckets = Buckets { first: first.at, last: end, len: stretches.min(limit).max(1) };
    let mut points: Vec<Option<(u64, u64, u64, u64)>> = vec![None; buckets.len];
    for stretch in traffic {
        let point = points[buckets.of(stretch.at)].get_or_insert((0, 0, u64::MAX, 0));
        point.0 = point.0.saturating_add(stretch.calls);
        point.1 = point.1.max(stretch.max);
        point.2 = point.2.min(stretch.min);
        point.3 += 1;
    }
    points
        .iter()
        .enumerate()
        .map(|(i, point)| {
            let (calls, max, min, _) = point.unwrap_or((0, 0, 0, 0));
            let seconds = (buckets.span() / 1_000_000 / buckets.len as u64).max(1);
            let average = u128::from(calls) * 10 / u128::from(seconds);
            let average_tenths = u64::try_from(average).unwrap_or(u64::MAX);
            TrafficPoint { at: buckets.start(i), average_tenths, max, min, calls }
        })
        .collect()
}

/// A column of the chart by hour.
pub(super) struct HourBar {
    /// When it begins.
    pub(super) at: Timestamp,
    /// Calls by kind: select, insert, update, delete, other.
    pub(super) calls: [u64; 5],
    /// Duration of all.
    pub(super) us: u64,
}

/// The names and classes of the parts of a column, from the bottom.
pub(super) const KINDS: [&str; 5] = ["select", "insert", "update", "delete", "other"];

impl HourBar {
    fn all(&self) -> u64 {
        self.calls.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    fn average(&self) -> u64 {
        mean(Micros(self.us), self.all()).unwrap_or_default().0
    }
}

/// At most `limit` columns, neighbouring hours joined.
pub(super) fn hour_bars(hours: &[Hour], limit: usize) -> Vec<HourBar> {
    let (Some(first), Some(last)) = (hours.first(), hours.last()) else { return Vec::new() };
    let buckets = Buckets::new(first.hour, last.hour, limit);
    let mut bars: Vec<HourBar> =
        (0..buckets.len).map(|i| HourBar { at: buckets.start(i), calls: [0; 5], us: 0 }).collect();
    for hour in hours {
        let bar = &mut bars[buckets.of(hour.hour)];
        let known = [hour.select.calls, hour.insert.calls, hour.update.calls, hour.delete.calls];
        let named = known.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
        let other = hour.all.calls.saturating_sub(named);
        for (sum, calls) in bar.calls.iter_mut().zip(known.into_iter().chain([other])) {
            *sum = sum.saturating_add(calls);
        }
        bar.us = bar.us.saturating_add(hour.all.duration_us.0);
    }
    bars
}

/// Statements by hour, stacked by kind, with the average duration as a line on its own axis.
pub(super) fn hours(bars: &[HourBar]) -> String {
    let axis = Axis::of(bars.iter().map(HourBar::all).max().unwrap_or(0).max(1));
    let right = Axis::of(bars.iter().map(HourBar::average).max().unwrap_or(0).max(1));
    let mut out = open("Statements by time, by kind, with the average duration");
    grid(&mut out, &axis, count, "statements");
    for value in right.ticks() {
        let y = TOP + PLOT_HEIGHT - scaled(value, right.top, PLOT_HEIGHT);
        let _ = write!(
            out,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            WIDTH - RIGHT + 8,
            y + 4,
            duration(Micros(value))
        );
    }
    let step = PLOT_WIDTH * 10 / bars.len().max(1) as u64;
    let x = |i: usize| LEFT * 10 + i as u64 * step;
    let mut line = String::new();
    for (i, bar) in bars.iter().enumerate() {
        let mut y = (TOP + PLOT_HEIGHT) * 10;
        let _ = write!(out, "<g><title>{}: ", hour_label(bar.at));
        let _ =
            write!(out, "{} statements, {} on average", count(bar.all()), duration(Micros(bar.average())));
        for (kind, calls) in KINDS.iter().zip(bar.calls).filter(|(_, calls)| *calls > 0) {
            let _ = write!(out, "; {kind} {}", count(calls));
        }
        out.push_str("</title>");
        for (kind, calls) in KINDS.iter().zip(bar.calls) {
            let height = scaled(calls, axis.top, PLOT_HEIGHT * 10);
            if height > 0 {
                y -= height.min(y);
                let _ = write!(
                    out,
                    "<rect class=\"{kind}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
                    tenths(x(i) + step / 12),
                    tenths(y),
                    tenths((step * 10 / 12).max(1)),
                    tenths(height)
                );
            }
        }
        out.push_str("</g>");
        let average = (TOP + PLOT_HEIGHT) * 10 - scaled(bar.average(), right.top, PLOT_HEIGHT * 10);
        if bar.all() > 0 {
            let start = if line.is_empty() { "M" } else { "L" };
            let _ = write!(line, "{start}{} {}", tenths(x(i) + step / 2), tenths(average));
        }
    }
    let _ = write!(out, "<path class=\"average\" d=\"{line}\"/>");
    let times: Vec<Timestamp> = bars.iter().map(|bar| bar.at).collect();
    time_labels(&mut out, &times, |at| {
        times.iter().position(|t| *t == at).map_or(LEFT * 10, |i| x(i) + step / 2)
    });
    out.push_str("</svg>");
    out
}

/// The curve of a forecast. Parameters are spread evenly: they are chosen values, not a scale.
pub(super) fn curve(
    curve: &Curve,
    x_axis: &str,
    x_text: impl Fn(Option<u64>) -> String,
    y_text: impl Fn(u64) -> String,
) -> String {
    let n = curve.points.len() as u64;
    if n < 2 {
        return String::new();
    }
    let top = match curve.y_unit.as_str() {
        "permille" => Axis { top: 1000, step: 250 },
        _ => Axis::of(curve.points.iter().map(|p| p.1).max().unwrap_or(0).max(1)),
    };
    let (width, height, left, below) = (460_u64, 150_u64, 62_u64, 24_u64);
    let mut out = format!(
        "<svg class=\"chart small\" viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"",
        height + below + 28
    );
    out.push_str(&escape(&curve.name));
    out.push_str("\">");
    let y = |value: u64| 80 + height * 10 - scaled(value.min(top.top), top.top, height * 10);
    for value in top.ticks() {
        let at = tenths(y(value));
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{width}\" y1=\"{at}\" y2=\"{at}\"/><text class=\"end\" x=\"{}\" y=\"{}\">{}</text>",
            left - 6,
            tenths(y(value) + 40),
            escape(&y_text(value))
        );
    }
    let x = |i: u64| (left + 14) * 10 + (width - left - 44) * 10 * i / (n - 1);
    let mut line = String::new();
    let mut dots = String::new();
    for (i, (parameter, answer)) in curve.points.iter().enumerate() {
        let (px, py) = (tenths(x(i as u64)), tenths(y(*answer)));
        let _ = write!(line, "{}{px} {py}", if i == 0 { "M" } else { "L" });
        let label = escape(&x_text(*parameter));
        let _ = write!(
            dots,
            "<circle class=\"dot\" cx=\"{px}\" cy=\"{py}\" r=\"3.5\"><title>{label}: {}</title></circle><text class=\"mid\" x=\"{px}\" y=\"{}\">{label}</text>",
            escape(&y_text(*answer)),
            height + below
        );
    }
    let _ = write!(
        out,
        "<path class=\"line\" d=\"{line}\"/>{dots}<text class=\"end\" x=\"{width}\" y=\"{}\">{} →</text></svg>",
        height + below + 20,
        escape(x_axis)
    );
    out
}

/// Time cut into equal stretches; any instant falls into one of them, however far away a hostile log puts it.
struct Buckets {
    first: Timestamp,
    last: Timestamp,
    /// At least 1.
    len: usize,
}

impl Buckets {
    /// Whole hours from `first` to `last`, joined until there are at most `limit`.
    fn new(first: Timestamp, last: Timestamp, limit: usize) -> Self {
        let first = Timestamp::from_hour(first.hour());
        let last = Timestamp(last.0.max(first.0));
        let hours = last.hour().saturating_sub(first.hour()).unsigned_abs().saturating_add(1);
        let a_bucket = hours.div_ceil(limit.max(1) as u64);
        let len = hours.div_ceil(a_bucket);
        let end = first.0.saturating_add_unsigned(a_bucket.saturating_mul(len).saturating_mul(3_600_000_000));
        Self { first, last: Timestamp(end.saturating_sub(1)), len: usize::try_from(len).unwrap_or(1).max(1) }
    }

    fn span(&self) -> u64 {
        self.last.0.saturating_sub(self.first.0).max(0).unsigned_abs().saturating_add(1)
    }

    fn of(&self, at: Timestamp) -> usize {
        let past = at.0.saturating_sub(self.first.0).max(0).unsigned_abs();
        let at = u128::from(past) * self.len as u128 / u128::from(self.span());
        usize::try_from(at).unwrap_or(usize::MAX).min(self.len - 1)
    }

    fn start(&self, bucket: usize) -> Timestamp {
        let past = u128::from(self.span()) * bucket as u128 / self.len as u128;
        Timestamp(self.first.0.saturating_add_unsigned(u64::try_from(past).unwrap_or(u64::MAX)))
    }
}

/// A scale from 0 to a round number.
struct Axis {
    top: u64,
    step: u64,
}

impl Axis {
    fn of(max: u64) -> Self {
        // The smallest 1, 2, 2.5 or 5 times a power of ten that gives at most five steps.
        let mut unit = 1_u64;
        loop {
            for factor in [10_u64, 20, 25, 50] {
                let step = (unit.saturating_mul(factor) / 10).max(1);
                if (factor != 25 || unit > 1) && max.div_ceil(step) <= 5 {
                    return Self { top: max.div_ceil(step).max(1).saturating_mul(step), step };
                }
            }
            if unit > u64::MAX / 100 {
                return Self { top: u64::MAX, step: u64::MAX / 4 };
            }
            unit *= 10;
        }
    }

    fn ticks(&self) -> impl Iterator<Item = u64> {
        let step = self.step;
        (0..=self.top / self.step).map(move |i| i * step)
    }
}

fn open(label: &str) -> String {
    format!("<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">")
}

fn grid(out: &mut String, axis: &Axis, text: impl Fn(u64) -> String, unit: &str) {
    for value in axis.ticks() {
        let y = TOP + PLOT_HEIGHT - scaled(value, axis.top, PLOT_HEIGHT);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/><text class=\"end\" x=\"{}\" y=\"{}\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8,
            y + 4,
            text(value)
        );
    }
    let _ = write!(out, "<title>{unit}</title>");
}

/// Seven labels or fewer below the plot: the clock, and the day where it changes.
fn time_labels(out: &mut String, times: &[Timestamp], x: impl Fn(Timestamp) -> u64) {
    let every = times.len().div_ceil(8).max(1);
    let mut day = i64::MIN;
    for at in times.iter().step_by(every) {
        let today = at.hour().div_euclid(24);
        let label = if today == day { clock(*at) } else { hour_label(*at) };
        day = today;
        let _ =
            write!(out, "<text class=\"mid\" x=\"{}\" y=\"{}\">{label}</text>", tenths(x(*at)), HEIGHT - 8);
    }
}

/// `value / whole * size`, in integers that cannot overflow.
fn scaled(value: u64, whole: u64, size: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(size) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX).min(size)
}

fn tenths(n: u64) -> String {
    match n % 10 {
        0 => (n / 10).to_string(),
        tenth => format!("{}.{tenth}", n / 10),
    }
}

/// 256 times the binary logarithm, straight between powers of two: enough to place a dot.
fn log2(n: u64) -> u64 {
    let n = n.max(1);
    let whole = u64::from(n.ilog2());
    let rest = u128::from(n - (1 << whole)) * 256 / (1_u128 << whole);
    whole * 256 + u64::try_from(rest).unwrap_or(255)
}

/// For text and attributes in quotes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::super::shown::one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers() {
        let ends: Vec<(u64, u64)> = [1, 3, 7, 12, 99, 184, 1_284_311, u64::MAX]
            .into_iter()
            .map(|max| (Axis::of(max).top, Axis::of(max).step))
            .take(7)
            .collect();
        assert_eq!(ends, [(1, 1), (3, 1), (8, 2), (15, 5), (100, 20), (200, 50), (1_500_000, 500_000)]);
        assert!(Axis::of(u64::MAX).ticks().count() < 10);
    }

    #[test]
    fn absurd_instants_fall_into_some_bucket() {
        let buckets = Buckets::new(Timestamp(i64::MIN), Timestamp(i64::MAX), 24);
        assert!(buckets.len <= 24);
        assert!(buckets.of(Timestamp(i64::MAX)) < buckets.len);
        let hours = [HourLoad { hour: Timestamp(i64::MAX), calls: u64::MAX, duration_us: Micros(u64::MAX) }];
        assert!(!spark(&hours, Timestamp(i64::MIN), Timestamp(i64::MAX)).is_empty());
        assert!(!statement_hours(&hours, Timestamp(i64::MIN), Timestamp(i64::MAX)).is_empty());
    }

    #[test]
    fn a_day_has_24_buckets() {
        let buckets = Buckets::new(Timestamp::from_hour(100), Timestamp::from_hour(123), 48);
        assert_eq!(buckets.len, 24);
        assert_eq!(buckets.of(Timestamp::from_hour(123)), 23);
        assert_eq!(buckets.start(23), Timestamp::from_hour(123));
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escape("<a \"b' &"), "&lt;a &quot;b&#39; &amp;");
    }
}
