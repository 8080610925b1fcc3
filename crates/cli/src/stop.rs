//! Being asked to stop.

/// Waits for Ctrl-C, or for the signal by which the system asks a process to end.
pub(crate) async fn requested() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                pressed = tokio::signal::ctrl_c() => {
                    if pressed.is_ok() {
                        return;
                    }
                }
            }
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals only the end of the process ends it.
        std::future::pending::<()>().await;
    }
}
