//! Style sheets and scripts: served as they are while developing, published once under hashed names otherwise.
//!
//! Serves the pages (which address to link) and the static process (which bytes to send). A manifest carries
//! the changeset of the sources in its name, so that an application never links files of another version;
//! a key that is missing in it is an error when the application starts, not a page without style later.

use crate::publish::{File, Place, Sent};
use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write;

/// What may be said of a name that changes with its content.
pub const FOR_EVER: &str = "public, max-age=31536000, immutable";

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

    /// The published files of this version in `place`, which are reachable under `base_url` (an empty one
    /// stands for the address of the pages).
    pub async fn published(place: &Place, base_url: &str) -> Result<Assets> {
        let name = manifest_name();
        let text = place.read(&name).await.context("publish first, with `survey-app assets`")?;
        let manifest: BTreeMap<String, String> =
            serde_json::from_slice(&text).with_context(|| format!("{name} is no manifest"))?;
        let mut links = BTreeMap::new();
        for (name, _) in BUNDLES {
            let Some(file) = manifest.get(*name) else {
                bail!("{} has no key `{name}`; publish again with `survey-app assets`", manifest_name());
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

/// Combines, minifies, hashes and compresses everything, and sends what `place` does not have yet. The manifest
/// comes last, so that it never names a file that is not there.
pub async fn publish(place: &Place) -> Result<Vec<Sent>> {
    let (mut manifest, mut sent) = (BTreeMap::new(), Vec::new());
    for (name, parts) in BUNDLES {
        let (name, files) = bundle(name, parts)?;
        for file in &files {
            sent.push(place.send(file, true).await?);
        }
        manifest.insert(name, files[0].name.clone());
    }
    let manifest = File {
        name: manifest_name(),
        bytes: serde_json::to_vec_pretty(&manifest).context("the manifest")?,
        content_type: "application/json",
        encoding: None,
        cache_control: "no-cache",
    };
    sent.push(place.send(&manifest, false).await?);
    Ok(sent)
}

/// The files of a bundle: as it is, then packed with gzip and with brotli.
fn bundle(name: &str, parts: &[&str]) -> Result<(String, [File; 3])> {
    let (stem, extension) = name.rsplit_once('.').expect("bundles have an extension");
    let mut text = String::new();
    for part in parts {
        let source = SOURCES.iter().find(|(n, _)| n == part).expect("bundles name sources").1;
        text.push_str(&if extension == "css" { minify_css(source) } else { minify_js(source) });
    }
    let hash = &crate::secret::hash(text.as_bytes())[..12];
    let plain = File {
        name: format!("CACHE/{extension}/{stem}.{hash}.{extension}"),
        bytes: text.into_bytes(),
        content_type: content_type(name),
        encoding: None,
        cache_control: FOR_EVER,
    };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&plain.bytes).context("gzip")?;
    let gzip = gzip.finish().context("gzip")?;
    let mut brotli = Vec::new();
    let best = brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() };
    brotli::BrotliCompress(&mut plain.bytes.as_slice(), &mut brotli, &best).context("brotli")?;
    let packed = |bytes, encoding, ending: &str| File {
        name: format!("{}.{ending}", plain.name),
        bytes,
        encoding: Some(encoding),
        ..plain.clone()
    };
    let (gzip, brotli) = (packed(gzip, "gzip", "gz"), packed(brotli, "br", "br"));
    Ok((name.to_string(), [plain, gzip, brotli]))
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

    #[tokio::test]
    async fn a_missing_key_fails_at_start() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::directory(dir.path()).unwrap();
        assert!(Assets::published(&place, "http://127.0.0.1:1/").await.is_err(), "nothing is published");
        let sent = publish(&place).await.unwrap();
        assert_eq!(sent.len(), BUNDLES.len() * 3 + 1);
        assert!(sent.iter().all(|s| s.is_new) && sent.last().unwrap().name == manifest_name());
        assert!(publish(&place).await.unwrap().iter().all(|s| !s.is_new), "all of it is there");
        let assets = Assets::published(&place, "http://127.0.0.1:1/").await.unwrap();
        assert_eq!(assets.origin(), "http://127.0.0.1:1");
        assert!(assets.links("site.css")[0].starts_with("http://127.0.0.1:1/CACHE/css/site."));
        let here = Assets::published(&place, "").await.unwrap();
        assert!(here.links("site.css")[0].starts_with("/CACHE/css/site.") && here.origin().is_empty());
        std::fs::write(dir.path().join(manifest_name()), "{\"site.css\": \"x\"}").unwrap();
        let error = Assets::published(&place, "http://127.0.0.1:1/").await.unwrap_err();
        assert!(error.to_string().contains("no key `survey.js`"), "{error}");
    }

    #[test]
    fn packed_files_are_smaller_and_the_same() {
        use std::io::Read;
        for (name, parts) in BUNDLES {
            let (_, [plain, gzip, brotli]) = bundle(name, parts).unwrap();
            let (mut a, mut b) = (Vec::new(), Vec::new());
            flate2::read::GzDecoder::new(gzip.bytes.as_slice()).read_to_end(&mut a).unwrap();
            brotli::BrotliDecompress(&mut brotli.bytes.as_slice(), &mut b).unwrap();
            assert!(a == plain.bytes && b == plain.bytes);
            assert!(brotli.bytes.len() < gzip.bytes.len() && gzip.bytes.len() < plain.bytes.len());
            assert!(gzip.name == format!("{}.gz", plain.name) && gzip.content_type == plain.content_type);
        }
    }
}
