//! Waiting for a job.

use std::time::Duration;

use anyhow::bail;
use artel_app::{
    api::jobs::{JobInfo, JobShow},
    session::Session,
};

use super::session::ask;

/// Waits until a job is done, all of it.
pub(crate) async fn done(session: &Session, job: i64) -> anyhow::Result<JobInfo> {
    loop {
        let info = ask(session, JobShow { job }).await?;
        match info.state.as_str() {
            "waiting" | "running" => tokio::time::sleep(Duration::from_millis(5)).await,
            "done" => return Ok(info),
            state => bail!(
                "the job ended as \"{state}\", {} failed: {}",
                info.failed,
                info.error.unwrap_or_default()
            ),
        }
    }
}
