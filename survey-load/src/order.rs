//! What to do: one attack, as a value that another process can be handed.
//!
//! Serves the command line, the attack and the fleet. No I/O.

use crate::codes::Part;
use crate::report::Asked;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::str::FromStr;

/// One attack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The application, such as `http://127.0.0.1:8000`.
    pub host: String,
    /// A file with login codes.
    pub codes: PathBuf,
    /// What each respondent does.
    pub script: Script,
    /// Respondents at the same time, in this process.
    pub users: u64,
    /// When it ends.
    pub until: Until,
    /// Requests per second of this process, at most.
    pub rate: Option<u64>,
    /// How long people take to read, think and type.
    pub think: Think,
    /// Seconds after which an answer is missed.
    pub timeout: u64,
    /// What answers and pauses follow from.
    pub seed: u64,
    /// Which of several processes this is.
    pub part: Part,
}

/// What a respondent does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Script {
    /// Takes the survey, whatever its pages are.
    Survey,
    /// Does what a journey says.
    Journey {
        /// Its file.
        path: PathBuf,
        /// Sends each token wrong first, which must be refused.
        wrong_token_first: bool,
        /// Values for its other placeholders.
        values: Vec<(String, String)>,
    },
}

impl Script {
    /// What a report calls it.
    pub fn name(&self) -> String {
        match self {
            Script::Survey => "survey".to_string(),
            Script::Journey { path, .. } => {
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
        }
    }
}

/// When an attack ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// When every respondent has gone through the script as often as this.
    Times(u64),
    /// After so many seconds.
    Seconds(u64),
}

/// Pauses where people read, think and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Think {
    /// None.
    No,
    /// As long as whoever was recorded.
    Recorded,
    /// Between two numbers of milliseconds, evenly.
    Between(u64, u64),
}

impl Think {
    /// The mean pause in milliseconds; 0 when it is not known.
    pub fn mean_ms(self) -> u64 {
        match self {
            Think::No | Think::Recorded => 0,
            Think::Between(min, max) => min.midpoint(max),
        }
    }
}

impl FromStr for Think {
    type Err = String;

    fn from_str(text: &str) -> Result<Think, String> {
        match text {
            "no" => return Ok(Think::No),
            "recorded" => return Ok(Think::Recorded),
            _ => {}
        }
        let seconds = |part: &str| part.parse::<f64>().ok().filter(|s| (0.0..=3600.0).contains(s));
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        match (seconds(min), seconds(max)) {
            (Some(min), Some(max)) if min <= max => {
                Ok(Think::Between((min * 1000.0) as u64, (max * 1000.0) as u64))
            }
            _ => Err("seconds as MIN..MAX such as 2..8, or `no`, or `recorded`".to_string()),
        }
    }
}

/// A pause in which half of the requests of a survey wait for somebody who reads.
const QUICK_MS: u64 = 100;

/// Respondents that are enough for `rate` requests per second: a request takes a tenth of a second at most, and
/// every second one waits for somebody who thinks.
pub fn enough_users(rate: u64, think: Think) -> u64 {
    (rate.saturating_mul(QUICK_MS + think.mean_ms() / 2)).div_ceil(1000).clamp(8, 20_000)
}

impl Order {
    /// What a report says was asked for.
    pub fn asked(&self) -> Asked {
        let (surveys, seconds) = match self.until {
            Until::Times(times) => (Some(self.users.saturating_mul(times)), None),
            Until::Seconds(seconds) => (None, Some(seconds)),
        };
        Asked { processes: 1, users: self.users, surveys, rate: self.rate, seconds }
    }

    /// The same as `processes` orders that add up to it.
    pub fn split(&self, processes: usize) -> Vec<Order> {
        let part = |index: usize| {
            let part = Part { index, of: processes };
            Order {
                users: part.share(self.users),
                rate: self.rate.map(|r| part.share(r)),
                part,
                ..self.clone()
            }
        };
        (0..processes).map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking() {
        assert_eq!("2..8".parse(), Ok(Think::Between(2000, 8000)));
        assert_eq!("0.5".parse(), Ok(Think::Between(500, 500)));
        assert_eq!("no".parse(), Ok(Think::No));
        for bad in ["", "8..2", "x", "-1..2", "1..", "1..nan", "1..inf"] {
            assert!(bad.parse::<Think>().is_err(), "{bad}");
        }
    }

    #[test]
    fn users_for_a_rate() {
        assert_eq!(enough_users(1250, Think::No), 125);
        assert_eq!(enough_users(10, Think::No), 8);
        // 275 requests/s, half of them after 10 s of thought: 275 × 5.1.
        assert_eq!(enough_users(275, Think::Between(5_000, 15_000)), 1403);
    }

    #[test]
    fn an_order_is_split_without_a_rest() {
        let order = Order {
            host: "http://127.0.0.1:1".into(),
            codes: "codes.csv".into(),
            script: Script::Survey,
            users: 10,
            until: Until::Times(2),
            rate: Some(1250),
            think: Think::No,
            timeout: 30,
            seed: 1,
            part: Part::WHOLE,
        };
        let parts = order.split(3);
        assert_eq!(parts.iter().map(|o| o.users).collect::<Vec<_>>(), [4, 3, 3]);
        assert_eq!(parts.iter().map(|o| o.rate.unwrap()).collect::<Vec<_>>(), [417, 417, 416]);
        assert_eq!(parts.iter().map(|o| o.asked().surveys.unwrap()).sum::<u64>(), 20);
        let text = serde_json::to_string(&parts[1]).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), parts[1]);
    }
}
