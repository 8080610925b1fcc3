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

#[cfg(windows)]
mod windows {
    use std::{
        io,
        path::{Path, PathBuf},
        time::Duration,
    };

    use tokio::net::windows::named_pipe::{
        ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
    };

    pub(in crate::socket) type Stream = Pipe;

    /// All instances of the pipe are taken (`ERROR_PIPE_BUSY`).
    const PIPE_BUSY: i32 = 231;

    /// Either end of a pipe; tokio has a type for each.
    pub(in crate::socket) enum Pipe {
        Server(NamedPipeServer),
        Client(NamedPipeClient),
    }

    fn name_for(profile: &Path) -> String {
        format!(r"\\.\pipe\artel-{}", super::hash_of(profile))
    }

    /// Accepts connections of this machine.
    pub(in crate::socket) struct Listener {
        name: String,
        next: NamedPipeServer,
    }

    impl Listener {
        /// Makes the pipe. Fails where somebody else made one of this name.
        pub(in crate::socket) fn bind(profile: &Path) -> Result<Self, (PathBuf, io::Error)> {
            let name = name_for(profile);
            match ServerOptions::new()
                .first_pipe_instance(true)
                .reject_remote_clients(true)
                .create(&name)
            {
                Ok(next) => Ok(Self { name, next }),
                Err(reason) => Err((name.into(), reason)),
            }
        }

        /// The next connection.
        pub(in crate::socket) async fn accept(&mut self) -> io::Result<Pipe> {
            self.next.connect().await?;
            let following = ServerOptions::new()
                .reject_remote_clients(true)
                .create(&self.name)?;
            Ok(Pipe::Server(std::mem::replace(&mut self.next, following)))
        }
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
