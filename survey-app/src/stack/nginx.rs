//! nginx in front: one address for several web processes and for the published files.
//!
//! ```text
//!   browser ──► nginx ──► /CACHE/…<hash>.css   from disk, packed beforehand, for ever
//!                 └─────► everything else      one of the web processes, over connections that stay open
//! ```
//!
//! Serves `up` and `provision`: a configuration as text, and for `up` the start under the keeper. Everything
//! that nginx writes is in a directory of its own, and it runs as the servers' user, not as root.

use super::keeper::Stop;
use super::{Stack, argv, write_private};
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What nginx stands before.
#[derive(Clone, Debug)]
pub struct Front<'a> {
    /// `address:port` to listen at.
    pub listen: &'a str,
    /// Its own directory: process id, access log, temporary files.
    pub dir: &'a Path,
    /// Where `assets` published to.
    pub published: &'a Path,
    /// `address:port` of each web process.
    pub web: &'a [String],
    /// What the web processes know it by ([`crate::proxy`]).
    pub key: &'a str,
    /// Its processes; a number or `auto`.
    pub workers: &'a str,
    /// Idle connections to the web processes that each worker keeps.
    pub keepalive: u32,
}

/// The whole configuration.
///
/// # Errors
/// A path or a key that could not stand in it as it is.
pub fn config(front: &Front) -> Result<String> {
    let quoted = |path: &Path| -> Result<String> {
        let text = path.to_str().context("a path is not UTF-8")?;
        if text.contains(['"', '$', '\\', '\n', ';', '{', '}']) {
            bail!("nginx cannot be told the path {text:?}");
        }
        Ok(text.to_string())
    };
    let (dir, published) = (quoted(front.dir)?, quoted(front.published)?);
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_[]".contains(&b));
    let all =
        [front.listen, front.key, front.workers].into_iter().chain(front.web.iter().map(String::as_str));
    if let Some(odd) = all.into_iter().find(|text| text.is_empty() || !plain(text)) {
        bail!("nginx cannot be told {odd:?}");
    }
    let first = front.web.first().context("nginx needs a web process to stand before")?;
    let mut servers = String::new();
    for web in front.web {
        let _ = writeln!(servers, "    server {web} max_fails=1 fail_timeout=2s;");
    }
    let (listen, key, workers, keepalive) = (front.listen, front.key, front.workers, front.keepalive);
    Ok(format!(
        r#"# Written by survey-app; whatever is changed here by hand is lost.
daemon off;
worker_processes {workers};
pid "{dir}/nginx.pid";
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
  types {{ text/css css; text/javascript js; }}
  default_type application/octet-stream;
  charset utf-8;
  charset_types text/css text/javascript;
  log_format survey '$time_iso8601 $remote_addr "$request" $status $body_bytes_sent '
                    'took=$request_time upstream=$upstream_addr waited=$upstream_response_time';
  access_log "{dir}/access.log" survey;
  client_body_temp_path "{dir}/client_body";
  proxy_temp_path "{dir}/proxy";
  fastcgi_temp_path "{dir}/fastcgi";
  uwsgi_temp_path "{dir}/uwsgi";
  scgi_temp_path "{dir}/scgi";
  # The application refuses from 8 MiB on, in its own words.
  client_max_body_size 9m;
  sendfile on;
  server_tokens off;
  upstream app {{
    zone app 128k;
{servers}    keepalive {keepalive};
  }}
  # The debug panel is in the memory of one process: it is always the same one that is asked.
  upstream first {{
    server {first};
    keepalive 1;
  }}
  server {{
    listen {listen};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    # With the port: the application compares it with the Origin that a browser sends.
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Forwarded "";
    # In place of whatever the client wrote there.
    proxy_set_header {header} "{key}";
    proxy_connect_timeout 2s;
    # A process that is gone is passed over; an answer, a 503 too, reaches the client as it is.
    proxy_next_upstream error timeout;
    location / {{ proxy_pass http://app; }}
    location /debug/ {{ proxy_pass http://first; }}
    location /CACHE/ {{ return 404; }}
    # The name changes with the content, so it may be kept for ever.
    location ~ "^/CACHE/(css|js)/[A-Za-z0-9_-]+\.[0-9a-f]{{12}}\.(css|js)$" {{
      root "{published}";
      gzip_static on;
      gzip_vary on;
      add_header Cache-Control "public, max-age=31536000, immutable";
      add_header X-Content-Type-Options nosniff;
    }}
  }}
}}
"#,
        header = crate::proxy::KEY_HEADER,
    ))
}

impl Stack {
    /// Starts nginx before the web processes at `web` and the files published in `published`; its port.
    pub async fn start_nginx(&self, web: &[String], published: &Path, port: Option<u16>) -> Result<u16> {
        let program = self.programs.nginx.clone().context("nginx was not wanted")?;
        let dir = self.private_dir("nginx")?;
        readable(published)?;
        let key = self.endpoints.proxy_key.clone().context("the stack makes a key")?;
        let (file, user) = (dir.join("nginx.conf"), self.user);
        self.serve("nginx", port, Stop::Term, |port| {
            let listen = format!("127.0.0.1:{port}");
            let front =
                Front { listen: &listen, dir: &dir, published, web, key: &key, workers: "1", keepalive: 32 };
            write_private(&file, &config(&front)?, user)?;
            command(&program, &dir, &file)
        })
        .await
    }
}

/// The command that runs nginx in the foreground. Without `-e` it would try a log that only root may write.
pub(crate) fn command(program: &Path, dir: &Path, file: &Path) -> Result<Vec<String>> {
    let (dir, file) = (dir.display().to_string(), file.display().to_string());
    argv(program, &["-e", "stderr", "-p", &dir, "-c", &file])
}

/// Lets everybody read what lies in a published directory, whatever the umask was: it is public anyway.
pub(crate) fn readable(dir: &Path) -> Result<()> {
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot make {} readable", path.display()))
    };
    set(dir, 0o755)?;
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", dir.display()))?;
        let kind = entry.file_type().with_context(|| format!("cannot read {}", dir.display()))?;
        if kind.is_dir() {
            readable(&entry.path())?;
        } else if kind.is_file() {
            set(&entry.path(), 0o644)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_the_configuration() {
        let web = ["127.0.0.1:81".to_string()];
        let front = Front {
            listen: "127.0.0.1:80",
            dir: Path::new("/d"),
            published: Path::new("/p q"),
            web: &web,
            key: "k",
            workers: "auto",
            keepalive: 8,
        };
        assert!(config(&front).unwrap().contains("root \"/p q\";"));
        assert!(config(&Front { published: Path::new("/p\"; }"), ..front.clone() }).is_err());
        assert!(config(&Front { published: Path::new("/$host"), ..front.clone() }).is_err());
        assert!(config(&Front { listen: "80; }", ..front.clone() }).is_err());
        assert!(config(&Front { key: "", ..front.clone() }).is_err());
        assert!(config(&Front { web: &[], ..front }).is_err());
    }
}
