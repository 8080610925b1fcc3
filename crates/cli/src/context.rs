//! What every command is given: where the profiles are, which one, how to print.

use std::{
    io::{BufRead, IsTerminal, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use artel_app::{
    api::{Handle, profile::ProfileList},
    error::{AppError, Code},
    files,
    host::Host,
};
use zeroize::Zeroizing;

use crate::{Backend, Global, client::Client, output::Output};

/// Most bytes that are read of a passphrase file.
const LONGEST_PASSPHRASE: u64 = 64 << 10;

/// How a command ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done,
    /// Something critical was found (`care health`).
    Critical,
    /// Some items failed, all of them listed; or warnings were found.
    InPart,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Critical => Self::from(1),
            Exit::InPart => Self::from(3),
        }
    }
}

/// What every command is given.
pub(crate) struct Context {
    /// The home folder.
    pub host: Host,
    /// Where results go.
    pub output: Output,
    global: Global,
}

impl Context {
    pub(crate) fn new(global: Global) -> anyhow::Result<Self> {
        let home = match &global.home {
            Some(home) => std::path::absolute(home)?,
            None => dirs::data_local_dir()
                .ok_or_else(|| {
                    AppError::new(
                        Code::NotFound,
                        "this system names no data folder",
                        "Give one with --home DIR.",
                    )
                })?
                .join(if cfg!(target_os = "linux") {
                    "artel"
                } else {
                    "Artel"
                }),
        };
        Ok(Self {
            host: Host::new(home),
            output: Output::new(global.json),
            global,
        })
    }

    /// The backend asked for, as the commands spell it.
    pub(crate) fn backend(&self) -> String {
        match self.global.backend {
            Backend::Auto => "auto",
            Backend::Cpu => "cpu",
            Backend::Gpu => "gpu",
        }
        .to_owned()
    }

    /// The profile named by the options, or the only one there is.
    pub(crate) async fn profile(&self) -> Result<String, AppError> {
        if let Some(name) = &self.global.profile {
            return Ok(name.clone());
        }
        let mut profiles = self.host.handle(ProfileList {}).await?;
        match profiles.len() {
            0 => Err(AppError::new(
                Code::NotFound,
                format!("there is no profile in {}", self.host.home().display()),
                "Make one: artel profile new NAME",
            )),
            1 => Ok(profiles.remove(0).profile),
            _ => {
                let names: Vec<_> = profiles.into_iter().map(|p| p.profile).collect();
                Err(AppError::new(
                    Code::Ambiguous,
                    format!("there are several profiles: {}", names.join(", ")),
                    "Say which: --profile NAME",
                ))
            }
        }
    }

    /// The passphrase from the file, the environment or a prompt with these words.
    pub(crate) fn passphrase(&self, prompt: &str) -> anyhow::Result<Zeroizing<String>> {
        match self.given_passphrase()? {
            Some(passphrase) => Ok(passphrase),
            None => ask(prompt, "Set ARTEL_PASSPHRASE or give --passphrase-file F"),
        }
    }

    /// The passphrase of a profile that is being made; typed ones are asked for twice.
    pub(crate) fn new_passphrase(&self, prompt: &str) -> anyhow::Result<Zeroizing<String>> {
        match self.given_passphrase()? {
            Some(passphrase) => Ok(passphrase),
            None => ask_twice(prompt, "Set ARTEL_PASSPHRASE or give --passphrase-file F"),
        }
    }

    fn given_passphrase(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        if let Some(file) = &self.global.passphrase_file {
            return first_line(file).map(Some);
        }
        Ok(std::env::var("ARTEL_PASSPHRASE").ok().map(Zeroizing::new))
    }

    /// Talks to the process that holds the profile, or opens it here when none does.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let profile = self.profile().await?;
        let passphrase = self.passphrase(&format!("Passphrase of {profile}: "))?;
        Client::connect(&self.host, &profile, &passphrase).await
    }
}

fn ask(prompt: &str, otherwise: &str) -> anyhow::Result<Zeroizing<String>> {
    ask_for("passphrase", prompt, otherwise)
}

/// Asks for a secret without showing it.
pub(crate) fn ask_for(
    what: &str,
    prompt: &str,
    otherwise: &str,
) -> anyhow::Result<Zeroizing<String>> {
    if !std::io::stdin().is_terminal() {
        return Err(AppError::new(
            Code::PassphraseNeeded,
            format!("no {what} was given and there is no terminal to ask on"),
            otherwise,
        )
        .into());
    }
    Ok(Zeroizing::new(rpassword::prompt_password(prompt)?))
}

/// Asks for a new passphrase, and once more, since nobody can look up what was mistyped.
pub(crate) fn ask_twice(prompt: &str, otherwise: &str) -> anyhow::Result<Zeroizing<String>> {
    let first = ask(prompt, otherwise)?;
    if first != ask("Once more: ", otherwise)? {
        return Err(AppError::new(
            Code::BadArguments,
            "the two passphrases differ",
            "Try again.",
        )
        .into());
    }
    Ok(first)
}

/// First line of a passphrase file, without its line end.
pub(crate) fn first_line(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let read = || -> std::io::Result<String> {
        let mut line = String::new();
        let begin = std::fs::File::open(file)?.take(LONGEST_PASSPHRASE);
        std::io::BufReader::new(begin).read_line(&mut line)?;
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    };
    let line = read().map_err(|reason| files::unread(file, &reason))?;
    Ok(Zeroizing::new(line))
}

/// Absolute form of a path given on the command line; the other process has another folder.
pub(crate) fn absolute(path: &Path) -> anyhow::Result<String> {
    let path: PathBuf = std::path::absolute(path)?;
    path.into_os_string().into_string().map_err(|path| {
        let message = format!("{}: the name is not valid Unicode", path.display());
        AppError::new(Code::BadName, message, "Rename it first.").into()
    })
}

/// Absolute form of a path; a separator at its end says that it is a folder.
pub(crate) fn folder_or_file(path: &Path) -> anyhow::Result<String> {
    let mut text = absolute(path)?;
    let given_as_folder = path.to_string_lossy().ends_with(std::path::is_separator);
    if given_as_folder && !text.ends_with(std::path::is_separator) {
        text.push(std::path::MAIN_SEPARATOR);
    }
    Ok(text)
}
