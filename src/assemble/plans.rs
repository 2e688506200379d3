//! Plans of auto_explain → the rows of their statements.

use super::{Wishes, lossy};
use crate::event::explain::{self, Format};
use crate::partial::plans::{KeptPlan, Plans};
use crate::report::{Plan, PlanBuffers, Statement};
use crate::sql::{self, Fingerprint};

/// Bytes of the SQL in a plan.
const MOST_SQL: usize = 16 << 10;

/// Gives each statement its slowest plan.
pub(super) fn attach(statements: &mut [Statement], mut plans: Plans, wishes: &Wishes) {
    plans.finish();
    if plans.count == 0 {
        return;
    }
    for statement in statements {
        let fingerprint = u64::from_str_radix(&statement.fingerprint, 16).ok().map(Fingerprint);
        statement.plan =
            fingerprint.and_then(|fingerprint| plans.get(fingerprint)).map(|kept| plan(kept, wishes));
    }
}

fn plan(kept: &KeptPlan, wishes: &Wishes) -> Plan {
    let figures = explain::figures(&kept.body);
    let text = match wishes.show(&[&kept.body]) {
        true => lossy(&kept.body),
        false => explain::masked(&kept.body, |sql| sql::normalise(sql, MOST_SQL)),
    };
    let (slowest_node, slowest_node_us) = figures.slowest.unzip();
    Plan {
        format: Format::of(&kept.body).as_str().to_owned(),
        time: kept.time,
        duration_us: kept.duration,
        text: text.trim_start_matches('\n').to_owned(),
        truncated: kept.truncated,
        rows: figures.rows,
        buffers: figures.buffers.map(|buffers| PlanBuffers {
            shared_hit: buffers.shared_hit,
            shared_read: buffers.shared_read,
            shared_dirtied: buffers.shared_dirtied,
            shared_written: buffers.shared_written,
            temp_read: buffers.temp_read,
            temp_written: buffers.temp_written,
        }),
        slowest_node,
        slowest_node_us,
    }
}
