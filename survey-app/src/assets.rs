//! Style sheets and scripts: served as they are while developing, published once under hashed names otherwise.
//!
//! Serves the pages (which address to link) and the static process (which bytes to send). A manifest carries
//! the changeset of the sources in its name, so that an application never links files of another version;
//! a key that is missing in it is an error when the application starts, not a page without style later.

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// A name in the templates, and the source files that make it up.
const BUNDLES: &[(&str, &[&str])] =
    &[("site.css", &["base.css", "survey.css", "admin.css"]), ("survey.js", &["survey.js"])];

const SOURCES: &[(&str, &str)] = &[
    ("base.css", include_str!("../static/base.css")),
    ("survey.css", include_str!("../static/survey.css")),
    ("admin.css", include_str!("../static/admin.css")),
    ("survey.js", include_str!("../static/survey.js")),
];

/// Which addresses the pages link.
#[derive(Clone, Debug)]
pub struct Assets {
    links: BTreeMap<String, Vec<String>>,
    origin: Option<String>,
}

impl Assets {
    /// The sources, each by itself, served by the application under `/static/`.
    pub fn plain() -> Assets {
        let links = BUNDLES
            .iter()
            .map(|(name, parts)| (name.to_string(), parts.iter().map(|p| format!("/static/{p}")).collect()))
            .collect();
        Assets { links, origin: None }
    }

    /// The published files of this version in `dir`, which are reachable under `base_url`.
    pub fn published(dir: &Path, base_url: &str) -> Result<Assets> {
        let path = dir.join(manifest_name());
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}; publish with `survey-app assets`", path.display()))?;
        let manifest: BTreeMap<String, String> =
            serde_json::from_str(&text).with_context(|| format!("{} is no manifest", path.display()))?;
        let mut links = BTreeMap::new();
        for (name, _) in BUNDLES {
            let Some(file) = manifest.get(*name) else {
                bail!("{} has no key `{name}`; publish again with `survey-app assets`", path.display());
            };
            links.insert(name.to_string(), vec![format!("{}/{file}", base_url.trim_end_matches('/'))]);
        }
        let origin = base_url.split("://").nth(1).map(|rest| {
            let host = rest.split('/').next().unwrap_or(rest);
            format!("{}://{host}", base_url.split("://").next().unwrap_or("http"))
        });
        Ok(Assets { links, origin })
    }

    /// What a page links for `name`.
    pub fn links(&self, name: &str) -> &[String] {
        self.links.get(name).map_or(&[], Vec::as_slice)
    }

    /// The origin that the content security policy has to allow beside our own.
    pub fn origin(&self) -> &str {
        self.origin.as_deref().unwrap_or_default()
    }
}

/// `manifest-<changeset>.json`; the changeset is a hash of the sources in this binary.
pub fn manifest_name() -> String {
    let all: String = SOURCES.iter().map(|(name, text)| format!("{name}\n{text}")).collect();
    format!("manifest-{}.json", &crate::secret::hash(all.as_bytes())[..12])
}

/// A source as it is, with its content type.
pub fn source(name: &str) -> Option<(&'static str, &'static str)> {
    SOURCES.iter().find(|(n, _)| *n == name).map(|(n, text)| (content_type(n), *text))
}

/// The content type of a file that we publish.
pub fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Combines, minifies, hashes and compresses everything into `dir`; the manifest comes last, so that it never
/// names a file that is not there.
pub fn publish(dir: &Path) -> Result<Vec<String>> {
    let mut manifest = BTreeMap::new();
    for (name, parts) in BUNDLES {
        let (stem, extension) = name.rsplit_once('.').expect("bundles have an extension");
        let mut text = String::new();
        for part in *parts {
            let source = SOURCES.iter().find(|(n, _)| n == part).expect("bundles name sources").1;
            text.push_str(&if extension == "css" { minify_css(source) } else { minify_js(source) });
        }
        let file =
            format!("CACHE/{extension}/{stem}.{}.{extension}", &crate::secret::hash(text.as_bytes())[..12]);
        let path = dir.join(&file);
        std::fs::create_dir_all(path.parent().expect("joined above"))
            .with_context(|| format!("cannot create {}", dir.display()))?;
        std::fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text.as_bytes()).context("gzip")?;
        let packed = dir.join(format!("{file}.gz"));
        std::fs::write(&packed, gzip.finish().context("gzip")?)
            .with_context(|| format!("cannot write {}", packed.display()))?;
        manifest.insert(name.to_string(), file);
    }
    let path = dir.join(manifest_name());
    let text = serde_json::to_string_pretty(&manifest).context("the manifest")?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(manifest.into_values().collect())
}

/// Without comments, and with one blank where there were many; strings in our style sheets hold neither.
fn minify_css(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("/*") {
        out.push_str(&rest[..start]);
        rest = rest[start..].find("*/").map_or("", |end| &rest[start + end + 2..]);
    }
    out.push_str(rest);
    let words: Vec<&str> = out.split_whitespace().collect();
    let mut text = words.join(" ");
    for mark in ["{", "}", ";", ","] {
        text = text.replace(&format!(" {mark}"), mark).replace(&format!("{mark} "), mark);
    }
    text.replace(": ", ":").replace(";}", "}")
}

/// Without lines that are comments and without indentation; line ends stay, because scripts may rely on them.
fn minify_js(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//"));
    lines.flat_map(|l| [l, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minified() {
        assert_eq!(
            minify_css("/* a */\na b { color: red;\n  margin: 0 1px; }\n"),
            "a b{color:red;margin:0 1px}"
        );
        assert_eq!(minify_js("// why\nlet a = 1;\n\n  f(a);\n"), "let a = 1;\nf(a);\n");
    }

    #[test]
    fn a_missing_key_fails_at_start() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Assets::published(dir.path(), "http://127.0.0.1:1/").is_err(), "nothing is published");
        let files = publish(dir.path()).unwrap();
        assert_eq!(files.len(), BUNDLES.len());
        let assets = Assets::published(dir.path(), "http://127.0.0.1:1/").unwrap();
        assert_eq!(assets.origin(), "http://127.0.0.1:1");
        assert!(assets.links("site.css")[0].starts_with("http://127.0.0.1:1/CACHE/css/site."));
        for file in &files {
            let (plain, packed) = (dir.path().join(file), dir.path().join(format!("{file}.gz")));
            assert!(std::fs::metadata(packed).unwrap().len() < std::fs::metadata(plain).unwrap().len());
        }
        std::fs::write(dir.path().join(manifest_name()), "{\"site.css\": \"x\"}").unwrap();
        let error = Assets::published(dir.path(), "http://127.0.0.1:1/").unwrap_err();
        assert!(error.to_string().contains("no key `survey.js`"), "{error}");
    }
}
