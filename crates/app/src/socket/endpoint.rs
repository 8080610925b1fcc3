//! Where the socket of a profile is, and how it is made and reached on each system.

#[cfg(unix)]
pub(super) use unix::{Listener, Stream, connect};
#[cfg(windows)]
pub(super) use windows::{Listener, Stream, connect};

/// Names the socket by the profile's folder, so that two homes never meet.
fn hash_of(folder: &std::path::Path) -> String {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    blake3::hash(folder.as_os_str().as_encoded_bytes())
        .to_hex()
        .chars()
        .take(24)
        .collect()
}

#[cfg(unix)]
mod unix {
    use std::{
        fs::{self, DirBuilder},
        io,
        os::unix::fs::{DirBuilderExt, MetadataExt},
        path::{Path, PathBuf},
    };

    use tokio::net::{UnixListener, UnixStream};

    pub(in crate::socket) type Stream = UnixStream;

    /// Longest path that every Unix takes for a socket (104 bytes on macOS, with the final zero).
    const MAX_PATH: usize = 100;

    /// The socket's path: in the profile's folder, or where that is too long, in the user's
    /// runtime folder or the temporary one.
    fn path_for(folder: &Path) -> PathBuf {
        let near = folder.join("control").join("socket");
        if near.as_os_str().len() <= MAX_PATH {
            return near;
        }
        let name = format!("artel-{}", super::hash_of(folder));
        let candidates = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .into_iter()
            .chain([std::env::temp_dir(), PathBuf::from("/tmp")]);
        candidates
            .map(|place| place.join(&name).join("socket"))
            .find(|path| path.is_absolute() && path.as_os_str().len() <= MAX_PATH)
            .unwrap_or(near)
    }

    /// Whether a folder belongs to the owner of the profile and is closed to everyone else. A
    /// link is not followed.
    fn is_private(socket_folder: &Path, profile_folder: &Path) -> io::Result<bool> {
        const OTHERS: u32 = 0o077;
        let found = fs::symlink_metadata(socket_folder)?;
        let owned = found.uid() == fs::metadata(profile_folder)?.uid();
        Ok(found.is_dir() && owned && found.mode() & OTHERS == 0)
    }

    fn not_private(folder: &Path) -> io::Error {
        io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is open to other users", folder.display()),
        )
    }

    fn same_user(stream: &UnixStream, profile_folder: &Path) -> io::Result<bool> {
        Ok(stream.peer_cred()?.uid() == fs::metadata(profile_folder)?.uid())
    }

    /// Accepts connections of the profile's owner.
    pub(in crate::socket) struct Listener {
        accepting: UnixListener,
        path: PathBuf,
        profile: PathBuf,
    }

    impl Listener {
        /// Makes the socket. The caller holds the profile's lock, so one that lies there is left
        /// over from a crash.
        pub(in crate::socket) fn bind(profile: &Path) -> Result<Self, (PathBuf, io::Error)> {
            let path = path_for(profile);
            let bind = || -> io::Result<UnixListener> {
                let folder = path.parent().unwrap_or(profile);
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)?;
                if !is_private(folder, profile)? {
                    return Err(not_private(folder));
                }
                match fs::remove_file(&path) {
                    Err(reason) if reason.kind() != io::ErrorKind::NotFound => return Err(reason),
                    _ => {}
                }
                UnixListener::bind(&path)
            };
            match bind() {
                Ok(accepting) => Ok(Self {
                    accepting,
                    path,
                    profile: profile.to_owned(),
                }),
                Err(reason) => Err((path, reason)),
            }
        }

        /// The next connection; those of other users are dropped.
        pub(in crate::socket) async fn accept(&mut self) -> io::Result<UnixStream> {
            loop {
                let (stream, _) = self.accepting.accept().await?;
                if same_user(&stream, &self.profile).unwrap_or(false) {
                    return Ok(stream);
                }
                tracing::warn!("another user's connection to the control socket was dropped");
            }
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.path);
            if let Some(folder) = self.path.parent() {
                let _ = fs::remove_dir(folder);
            }
        }
    }

    /// Connects to the process that holds the profile; `None` when none serves it.
    pub(in crate::socket) async fn connect(profile: &Path) -> io::Result<Option<UnixStream>> {
        let path = path_for(profile);
        let folder = path.parent().unwrap_or(profile);
        match is_private(folder, profile) {
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(reason),
            Ok(false) => return Err(not_private(folder)),
            Ok(true) => {}
        }
        match UnixStream::connect(&path).await {
            Ok(stream) if same_user(&stream, profile)? => Ok(Some(stream)),
            Ok(_) => Err(not_private(folder)),
            Err(reason)
                if matches!(
                    reason.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(reason) => Err(reason),
        }
    }
}

/// The security identifier in a line of `whoami /user /fo csv`: `"machine\user","S-1-5-21-1-2-3-1001"`.
#[cfg(any(windows, test))]
fn sid_in(line: &str) -> Option<String> {
    let sid = line.trim().rsplit(',').next()?.trim_matches('"');
    let parts = sid.strip_prefix("S-1-")?;
    let digits = parts.chars().all(|c| c.is_ascii_digit() || c == '-');
    (digits && !parts.is_empty()).then(|| sid.to_owned())
}

#[cfg(windows)]
mod windows {
    use std::{
        io,
        path::{Path, PathBuf},
        process::Command,
        time::Duration,
    };

    use interprocess::os::windows::{
        named_pipe::{
            PipeListenerOptions, pipe_mode,
            tokio::{DuplexPipeStream, PipeListener},
        },
        security_descriptor::SecurityDescriptor,
    };
    use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};
    use widestring::U16CString;

    use super::sid_in;

    pub(in crate::socket) type Stream = Pipe;

    /// All instances of the pipe are taken (`ERROR_PIPE_BUSY`).
    const PIPE_BUSY: i32 = 231;

    /// Either end of a pipe.
    pub(in crate::socket) enum Pipe {
        Server(DuplexPipeStream<pipe_mode::Bytes>),
        Client(NamedPipeClient),
    }

    fn name_for(profile: &Path) -> String {
        format!(r"\\.\pipe\artel-{}", super::hash_of(profile))
    }

    /// Accepts connections of this user on this machine.
    pub(in crate::socket) struct Listener(PipeListener<pipe_mode::Bytes, pipe_mode::Bytes>);

    impl Listener {
        /// Makes the pipe: for this user alone, for no other machine. Fails where somebody else made one of this name.
        pub(in crate::socket) fn bind(profile: &Path) -> Result<Self, (PathBuf, io::Error)> {
            let name = name_for(profile);
            let bound = only_for_me().and_then(|descriptor| {
                let path = U16CString::from_str(&name).map_err(io::Error::other)?;
                PipeListenerOptions::new()
                    .path(path)
                    .security_descriptor(Some(descriptor))
                    .create_tokio_duplex::<pipe_mode::Bytes>()
            });
            bound.map(Self).map_err(|reason| (name.into(), reason))
        }

        /// The next connection.
        pub(in crate::socket) async fn accept(&mut self) -> io::Result<Pipe> {
            self.0.accept().await.map(Pipe::Server)
        }
    }

    /// Everything to this user, nothing to anyone else, and no inherited rights (`P`).
    fn only_for_me() -> io::Result<SecurityDescriptor> {
        let text = format!("D:P(A;;GA;;;{})", my_sid()?);
        let text = U16CString::from_str(text).map_err(io::Error::other)?;
        SecurityDescriptor::deserialize(&text)
    }

    /// The security identifier of the user that runs this process, such as `S-1-5-21-…-1001`.
    fn my_sid() -> io::Result<String> {
        let folder = std::env::var_os("SystemRoot").ok_or(io::ErrorKind::NotFound)?;
        let program = Path::new(&folder).join("System32").join("whoami.exe");
        let output = Command::new(program)
            .args(["/user", "/fo", "csv", "/nh"])
            .output()?;
        sid_in(&String::from_utf8_lossy(&output.stdout))
            .ok_or_else(|| io::Error::other("whoami does not tell the user's identifier"))
    }

    /// Connects to the process that holds the profile; `None` when none serves it.
    pub(in crate::socket) async fn connect(profile: &Path) -> io::Result<Option<Pipe>> {
        let name = name_for(profile);
        for _ in 0..50 {
            match ClientOptions::new().open(&name) {
                Ok(client) => return Ok(Some(Pipe::Client(client))),
                Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(reason) if reason.raw_os_error() == Some(PIPE_BUSY) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(reason) => return Err(reason),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    mod io_traits {
        use std::{
            io,
            pin::Pin,
            task::{Context, Poll},
        };

        use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

        use super::Pipe;

        impl AsyncRead for Pipe {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    Self::Server(pipe) => Pin::new(pipe).poll_read(context, buffer),
                    Self::Client(pipe) => Pin::new(pipe).poll_read(context, buffer),
                }
            }
        }

        impl AsyncWrite for Pipe {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    Self::Server(pipe) => Pin::new(pipe).poll_write(context, bytes),
                    Self::Client(pipe) => Pin::new(pipe).poll_write(context, bytes),
                }
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    Self::Server(pipe) => Pin::new(pipe).poll_flush(context),
                    Self::Client(pipe) => Pin::new(pipe).poll_flush(context),
                }
            }

            fn poll_shutdown(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    Self::Server(pipe) => Pin::new(pipe).poll_shutdown(context),
                    Self::Client(pipe) => Pin::new(pipe).poll_shutdown(context),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sid_in;

    #[test]
    fn the_users_identifier_is_read_from_what_windows_says() {
        let line = "\"klasse-7\\олена, т.\",\"S-1-5-21-1004336348-1177238915-682003330-1001\"\r\n";
        assert_eq!(
            sid_in(line).as_deref(),
            Some("S-1-5-21-1004336348-1177238915-682003330-1001")
        );
        for line in [
            "",
            "\"a\",\"b\"",
            "\"a\",\"S-1-\"",
            "\"a\",\"S-1-5);(A;;GA;;;WD\"",
        ] {
            assert_eq!(sid_in(line), None, "{line}");
        }
    }
}
