//! pg_hba.conf: who may connect to a PostgreSQL server of ours.

/// The whole file; `more` are the declared lines for other hosts.
pub(super) fn text(more: &[String]) -> String {
    let mut out = String::from(
        "# Written by `survey-app provision`; whatever is changed here by hand is lost.\n\
         host all         all  127.0.0.1/32 scram-sha-256\n\
         host all         all  ::1/128      scram-sha-256\n\
         host replication repl 127.0.0.1/32 scram-sha-256\n",
    );
    for line in more {
        out.push_str(line);
        out.push('\n');
    }
    out
}
