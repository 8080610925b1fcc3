//! A home folder with its profiles: what can be done without opening one.

use std::path::{Path, PathBuf};

use crate::{error::AppError, installation, session::Session};

/// A home folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Host {
    home: PathBuf,
}

impl Host {
    /// Uses `home`; it is created when the first profile is.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into() }
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Opens a profile. Deriving the key takes a noticeable part of a second on purpose.
    pub async fn open(&self, profile: &str, passphrase: &str) -> Result<Session, AppError> {
        let (home, profile, passphrase) = (
            self.home.clone(),
            profile.to_owned(),
            zeroize::Zeroizing::new(passphrase.to_owned()),
        );
        let opened = tokio::task::spawn_blocking(move || {
            let opened = artel_store::profile::open(&home, &profile, &passphrase)?;
            installation::settle(&opened)?;
            Ok::<_, AppError>(opened)
        })
        .await??;
        Session::start(self.home.clone(), opened).await
    }
}
