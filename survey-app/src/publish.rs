//! Where published files go: a directory, or a bucket of anything that speaks S3.
//!
//! Serves [`crate::assets`] and the processes that read its manifest. A [`Place`] keeps an object's type and
//! its caching beside its bytes where the store can; a directory cannot, so its web server has to say them.
//! Must not know what is published.

use anyhow::{Context, Result};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions};
use std::path::Path;
use url::Url;

/// One file to publish.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path below the place.
    pub name: String,
    /// Its bytes, packed when `encoding` says so.
    pub bytes: Vec<u8>,
    /// What it is, unpacked.
    pub content_type: &'static str,
    /// How it is packed: `gzip` or `br`.
    pub encoding: Option<&'static str>,
    /// How long it may be kept.
    pub cache_control: &'static str,
}

/// A file, and whether it had to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its path below the place.
    pub name: String,
    /// Whether it was not there yet.
    pub is_new: bool,
}

/// A directory or a bucket.
#[derive(Debug)]
pub struct Place {
    store: Box<dyn ObjectStore>,
    prefix: Location,
    keeps_types: bool,
    text: String,
}

impl Place {
    /// A directory, which is created when it is not there.
    pub fn directory(dir: &Path) -> Result<Place> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let store =
            LocalFileSystem::new_with_prefix(dir).with_context(|| format!("cannot use {}", dir.display()))?;
        Ok(Place {
            store: Box::new(store),
            prefix: Location::default(),
            keeps_types: false,
            text: dir.display().to_string(),
        })
    }

    /// A path, a `file://` address, or an `s3://bucket/prefix` with its credentials, region and endpoint in
    /// the usual variables (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` …).
    ///
    /// # Errors
    /// Text that names no such place, or S3 in a build without the feature `s3`.
    pub fn open(text: &str) -> Result<Place> {
        if !text.contains("://") {
            return Place::directory(Path::new(text));
        }
        let url = Url::parse(text).with_context(|| format!("{text} is no address"))?;
        if url.scheme() == "file" {
            let dir = url.to_file_path().ok().with_context(|| format!("{text} names no directory"))?;
            return Place::directory(&dir);
        }
        let (store, prefix) =
            object_store::parse_url_opts(&url, std::env::vars()).with_context(|| {
                match cfg!(feature = "s3") {
                    true => format!("cannot use {text}"),
                    false => format!("cannot use {text}: this survey-app was built without the feature `s3`"),
                }
            })?;
        Ok(Place { store, prefix, keeps_types: true, text: text.to_string() })
    }

    /// A store that is open already and keeps types.
    #[cfg(test)]
    pub(crate) fn of(store: impl ObjectStore) -> Place {
        let prefix = Location::from("pre/fix");
        Place { store: Box::new(store), prefix, keeps_types: true, text: "a store".to_string() }
    }

    /// The bytes of a file.
    pub async fn read(&self, name: &str) -> Result<Vec<u8>> {
        let reading = async { self.store.get(&self.at(name)).await?.bytes().await };
        let bytes = reading.await.with_context(|| format!("cannot read {name} in {}", self.text))?;
        Ok(bytes.to_vec())
    }

    /// Writes a file unless the same is there already. A name that carries a hash of the content is the same
    /// when its size is; any other name is read and compared.
    pub async fn send(&self, file: &File, is_hashed: bool) -> Result<Sent> {
        let at = self.at(&file.name);
        let is_there = match self.store.head(&at).await {
            Ok(found) if is_hashed => found.size == file.bytes.len() as u64,
            Ok(_) => self.read(&file.name).await? == file.bytes,
            Err(object_store::Error::NotFound { .. }) => false,
            Err(error) => return Err(error).with_context(|| format!("cannot look into {}", self.text)),
        };
        if !is_there {
            let options = PutOptions { attributes: self.attributes(file), ..PutOptions::default() };
            self.store
                .put_opts(&at, file.bytes.clone().into(), options)
                .await
                .with_context(|| format!("cannot write {} to {}", file.name, self.text))?;
        }
        Ok(Sent { name: file.name.clone(), is_new: !is_there })
    }

    fn attributes(&self, file: &File) -> Attributes {
        let mut attributes = Attributes::new();
        if self.keeps_types {
            attributes.insert(Attribute::ContentType, file.content_type.into());
            attributes.insert(Attribute::CacheControl, file.cache_control.into());
            if let Some(encoding) = file.encoding {
                attributes.insert(Attribute::ContentEncoding, encoding.into());
            }
        }
        attributes
    }

    fn at(&self, name: &str) -> Location {
        name.split('/').fold(self.prefix.clone(), |at, part| at.join(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;
    use std::sync::Arc;

    fn file(name: &str, bytes: &str) -> File {
        File {
            name: name.to_string(),
            bytes: bytes.into(),
            content_type: "text/css; charset=utf-8",
            encoding: Some("gzip"),
            cache_control: "no-cache",
        }
    }

    #[tokio::test]
    async fn types_and_caching_go_with_the_bytes() {
        let memory = Arc::new(InMemory::new());
        let place = Place::of(Arc::clone(&memory));
        place.send(&file("a/b.css.gz", "x"), true).await.unwrap();
        let found = memory.get(&Location::from("pre/fix/a/b.css.gz")).await.unwrap();
        let attribute = |a: &Attribute| found.attributes.get(a).map(|v| v.as_ref().to_string());
        assert_eq!(attribute(&Attribute::ContentType).unwrap(), "text/css; charset=utf-8");
        assert_eq!(attribute(&Attribute::CacheControl).unwrap(), "no-cache");
        assert_eq!(attribute(&Attribute::ContentEncoding).unwrap(), "gzip");
    }

    #[tokio::test]
    async fn what_is_there_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        for place in
            [Place::of(InMemory::new()), Place::open(&format!("file://{}/s", dir.path().display())).unwrap()]
        {
            let sent =
                async |bytes: &str, hashed| place.send(&file("a/b.css", bytes), hashed).await.unwrap().is_new;
            assert!(place.read("a/b.css").await.is_err());
            assert!(sent("one", true).await && !sent("one", true).await);
            assert!(sent("two", false).await, "another text of the same length");
            assert!(sent("three", true).await, "half of a file from an upload that broke off");
            assert_eq!(place.read("a/b.css").await.unwrap(), b"three");
        }
        assert_eq!(std::fs::read(dir.path().join("s/a/b.css")).unwrap(), b"three");
        assert!(Place::open("nonsense://x").is_err());
    }
}
