//! Who a request comes from when a proxy stands in front.
//!
//! Serves [`crate::web`]: whether somebody may see the debug panel hangs on it. `X-Forwarded-For` is a header
//! like any other, so it counts only when somebody vouches for it: the nginx that shares our key (it sends it
//! as [`KEY_HEADER`], in place of whatever a client wrote there), or a peer in `proxy.trusted`. Both append the
//! address that they saw, so the list is read from its right end. Must not know nginx or any view.

use axum::http::HeaderMap;
use std::net::IpAddr;

/// The header with which our own nginx shows that it is ours.
pub const KEY_HEADER: &str = "x-survey-proxy";
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Headers with which proxies say that they pass something on.
const CLAIMS: [&str; 4] = [FORWARDED_FOR, "forwarded", "x-real-ip", "via"];

/// The address of the client, or `None` when nobody whom we trust says it.
///
/// A request that claims to be forwarded but comes from a stranger has no address at all: a proxy that nobody
/// told us of must not make its clients look like itself.
pub fn client(headers: &HeaderMap, peer: IpAddr, key: Option<&str>, trusted: &[String]) -> Option<IpAddr> {
    let shown = headers.get(KEY_HEADER).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let is_ours = key.is_some_and(|key| !key.is_empty() && crate::secret::same(key, shown));
    let is_trusted = |address: IpAddr| trusted.iter().any(|t| t.parse() == Ok(address.to_canonical()));
    let peer = peer.to_canonical();
    if !is_ours && !is_trusted(peer) {
        let claims = CLAIMS.iter().any(|header| headers.contains_key(*header));
        return (!claims).then_some(peer);
    }
    let mut leftmost = None;
    let lists: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().map(|v| v.to_str().unwrap_or("?")).collect();
    for item in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        // Whatever cannot be read was written by somebody beyond the last proxy that we know.
        let address = item.trim().parse::<IpAddr>().ok()?.to_canonical();
        if !is_trusted(address) {
            return Some(address);
        }
        leftmost = Some(address);
    }
    leftmost
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn seen(pairs: &[(&'static str, &'static str)], peer: &str, trusted: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let trusted: Vec<String> = trusted.iter().map(|t| t.to_string()).collect();
        client(&headers, peer.parse().unwrap(), Some("k"), &trusted).map(|a| a.to_string())
    }

    #[test]
    fn only_those_whom_we_trust_are_believed() {
        let local = Some("127.0.0.1".to_string());
        assert_eq!(seen(&[], "127.0.0.1", &[]), local, "no proxy at all");
        assert_eq!(seen(&[], "::ffff:127.0.0.1", &[]), local);
        // Strangers cannot become somebody else, whatever they write.
        assert_eq!(seen(&[("x-forwarded-for", "127.0.0.1")], "10.0.0.9", &[]), None);
        assert_eq!(seen(&[("forwarded", "for=127.0.0.1")], "127.0.0.1", &[]), None);
        assert_eq!(seen(&[("x-survey-proxy", "K"), ("x-forwarded-for", "127.0.0.1")], "10.0.0.9", &[]), None);
        assert_eq!(seen(&[("x-survey-proxy", ""), ("x-forwarded-for", "127.0.0.1")], "10.0.0.9", &[]), None);
    }

    #[test]
    fn the_list_is_read_from_its_right_end() {
        let ours = ("x-survey-proxy", "k");
        let far = Some("203.0.113.7".to_string());
        assert_eq!(seen(&[ours, ("x-forwarded-for", "203.0.113.7")], "127.0.0.1", &[]), far);
        // The client wrote the first one itself.
        assert_eq!(seen(&[ours, ("x-forwarded-for", "127.0.0.1, 203.0.113.7")], "127.0.0.1", &[]), far);
        let twice = [ours, ("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "203.0.113.7")];
        assert_eq!(seen(&twice, "127.0.0.1", &[]), far);
        // A balancer before nginx is skipped when it is declared, and only then.
        let chain = [ours, ("x-forwarded-for", "1.1.1.1, 203.0.113.7, 10.0.0.2")];
        assert_eq!(seen(&chain, "127.0.0.1", &["10.0.0.2"]), far);
        assert_eq!(seen(&chain, "127.0.0.1", &[]), Some("10.0.0.2".to_string()));
        assert_eq!(seen(&[("x-forwarded-for", "203.0.113.7")], "10.0.0.2", &["10.0.0.2"]), far);
        // Nothing to read, or nothing that can be read.
        assert_eq!(seen(&[ours], "127.0.0.1", &[]), None);
        assert_eq!(seen(&[ours, ("x-forwarded-for", "unknown")], "127.0.0.1", &[]), None);
    }
}
