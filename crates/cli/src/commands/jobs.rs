//! `artel jobs`, and how every command that starts a job waits for it.

use std::{io::IsTerminal, time::Duration};

use artel_app::{
    api::{
        Event,
        jobs::{
            ItemInfo, JobCancel, JobInfo, JobItems, JobList, JobPause, JobResume, JobRetry, JobShow,
        },
    },
    error::{AppError, Code},
};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::{
    client::Client,
    context::{Context, Exit},
    stop,
};

/// Failed items asked for at a time.
const PAGE: u32 = 1000;
/// A job is looked at this often even if nothing is told of it.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub(crate) enum JobsCommand {
    /// List the jobs, newest first
    #[command(after_help = "Example: artel jobs list --active")]
    List {
        /// Only those not finished
        #[arg(long)]
        active: bool,
    },
    /// Show one job
    #[command(after_help = "Example: artel jobs show 3")]
    Show {
        /// Its number
        job: i64,
    },
    /// List the failed items of a job, with reasons
    #[command(after_help = "Example: artel jobs failed 3")]
    Failed {
        /// Its number
        job: i64,
    },
    /// Stop a job after the items in hand
    #[command(after_help = "Example: artel jobs pause 3")]
    Pause {
        /// Its number
        job: i64,
    },
    /// Go on with a paused or interrupted job and wait for it
    #[command(after_help = "Example: artel jobs resume 3")]
    Resume {
        /// Its number
        job: i64,
    },
    /// End a job; what is done stays
    #[command(after_help = "Example: artel jobs cancel 3")]
    Cancel {
        /// Its number
        job: i64,
    },
    /// Try the failed items of a job again and wait for it
    #[command(after_help = "Example: artel jobs retry 3")]
    Retry {
        /// Its number
        job: i64,
    },
}

pub(crate) async fn run(context: &Context, command: JobsCommand) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let exit = act(context, &client, command).await;
    client.close().await;
    exit
}

async fn act(context: &Context, client: &Client, command: JobsCommand) -> anyhow::Result<Exit> {
    let job = match command {
        JobsCommand::List { active } => {
            let jobs = client.call(JobList { active }).await?;
            context.output.many(
                &jobs,
                &["job", "state", "done", "failed", "skipped", "of", "what"],
                |job| {
                    vec![
                        job.job.to_string(),
                        job.state.clone(),
                        job.done.to_string(),
                        job.failed.to_string(),
                        job.skipped.to_string(),
                        job.total.to_string(),
                        job.title.clone(),
                    ]
                },
                "There are no jobs.",
            )?;
            return Ok(Exit::Done);
        }
        JobsCommand::Failed { job } => {
            client.call(JobShow { job }).await?;
            let mut failed = Vec::new();
            each_failed(client, job, |item| {
                failed.push(item);
                Ok(())
            })
            .await?;
            context.output.many(
                &failed,
                &["item", "input", "tries", "reason"],
                |item| {
                    vec![
                        item.index.to_string(),
                        item.input.clone(),
                        item.attempts.to_string(),
                        item.error.clone().unwrap_or_default(),
                    ]
                },
                "No item failed.",
            )?;
            return Ok(Exit::Done);
        }
        JobsCommand::Resume { job } => {
            let job = client.call(JobResume { job }).await?;
            return follow(context, client, job, &[]).await;
        }
        JobsCommand::Retry { job } => {
            let job = client.call(JobRetry { job }).await?;
            return follow(context, client, job, &[]).await;
        }
        JobsCommand::Show { job } => client.call(JobShow { job }).await?,
        JobsCommand::Pause { job } => client.call(JobPause { job }).await?,
        JobsCommand::Cancel { job } => client.call(JobCancel { job }).await?,
    };
    context.output.one(&job, || report(&job))?;
    Ok(Exit::Done)
}

/// Waits for a job with progress, then lists its failures and prints its report, in JSON with what was said besides when
/// it began. Ctrl-C pauses it.
pub(crate) async fn follow(
    context: &Context,
    client: &Client,
    job: JobInfo,
    besides: &[(&str, Value)],
) -> anyhow::Result<Exit> {
    let job = wait(context, client, job).await?;
    if job.failed > 0 {
        each_failed(client, job.job, |item| {
            if context.output.json() {
                context.output.one(&item, String::new)
            } else {
                context.output.hint(&format!("failed: {}", failure(&item)));
                Ok(())
            }
        })
        .await?;
    }
    let mut line = serde_json::to_value(&job)?;
    if let Some(fields) = line.as_object_mut() {
        let besides = besides.iter().cloned();
        fields.extend(besides.map(|(name, value)| (name.to_owned(), value)));
    }
    context.output.one(&line, || report(&job))?;
    match job.state.as_str() {
        "done" => Ok(Exit::Done),
        "done_in_part" => Ok(Exit::InPart),
        state => Err(unfinished(&job, state).into()),
    }
}

/// Why a job did not get to its end, or got there with nothing.
fn unfinished(job: &JobInfo, state: &str) -> AppError {
    let id = job.job;
    let go_on = || format!("Go on with: artel jobs resume {id}");
    match (state, &job.error) {
        ("failed", _) if job.failed > 0 && job.done + job.skipped == 0 => AppError::new(
            Code::BadInput,
            format!("every one of the {} items failed", job.failed),
            format!("Each one's reason: artel jobs failed {id}"),
        ),
        ("cancelled", _) => AppError::new(
            Code::Cancelled,
            format!("job {id} was cancelled; what is done stays"),
            "Run it again to do the rest.",
        ),
        (_, Some(reason)) => AppError::new(Code::Stopped, reason, go_on()),
        (_, None) => AppError::new(Code::Stopped, format!("job {id} is {state}"), go_on()),
    }
}

async fn wait(context: &Context, client: &Client, mut job: JobInfo) -> anyhow::Result<JobInfo> {
    let bar = bar(context, &job);
    let mut events = client.events().await?;
    let mut told = true;
    let mut look = tokio::time::interval(LOOK);
    // One listener for the whole wait, so that no signal falls between two looks.
    let mut stopped = std::pin::pin!(stop::requested());
    let mut interrupted = false;
    while is_on_its_way(&job) {
        tokio::select! {
            event = events.recv(), if told => match event {
                Some(Event::Job { job: news }) if news.job == job.job => job = *news,
                Some(_) => {}
                None => told = false,
            },
            _ = look.tick() => job = client.call(JobShow { job: job.job }).await?,
            () = &mut stopped, if !interrupted => {
                interrupted = true;
                bar.suspend(|| context.output.hint("Pausing after the items in hand…"));
                // The job may have ended in this moment.
                job = match client.call(JobPause { job: job.job }).await {
                    Ok(paused) => paused,
                    Err(_) => client.call(JobShow { job: job.job }).await?,
                };
            }
        }
        bar.set_length(job.total);
        bar.set_position(job.done + job.failed + job.skipped);
        bar.set_message(match job.failed {
            0 => format!("{:.1}/s", job.per_second),
            failed => format!("{:.1}/s, {failed} failed", job.per_second),
        });
    }
    bar.finish_and_clear();
    // What was told last may be older than the row, and newer where a full disk did not take the end.
    let row = client.call(JobShow { job: job.job }).await?;
    Ok(if is_on_its_way(&row) { job } else { row })
}

fn is_on_its_way(job: &JobInfo) -> bool {
    matches!(job.state.as_str(), "waiting" | "running")
}

/// A bar on a terminal, nothing elsewhere.
fn bar(context: &Context, job: &JobInfo) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() && !context.output.json() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(job.total), target);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

async fn each_failed(
    client: &Client,
    job: i64,
    mut each: impl FnMut(ItemInfo) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut offset = 0;
    loop {
        let page = client
            .call(JobItems {
                job,
                state: Some("failed".to_owned()),
                offset,
                limit: Some(PAGE),
            })
            .await?;
        if page.items.is_empty() {
            return Ok(());
        }
        offset += page.items.len() as u64;
        for item in page.items {
            each(item)?;
        }
    }
}

/// The reason names the file; its folder is told besides.
fn failure(item: &ItemInfo) -> String {
    match &item.error {
        Some(error) => format!("{error}  [{}]", item.input),
        None => item.input.clone(),
    }
}

fn report(job: &JobInfo) -> String {
    let mut text = format!(
        "Job {} {}: {} done, {} failed, {} skipped of {} in {:.1} s ({:.1}/s, {:.0} MB at most, {})",
        job.job,
        job.state.replace('_', " "),
        job.done,
        job.failed,
        job.skipped,
        job.total,
        job.seconds,
        job.per_second,
        job.peak_memory_mb,
        job.backend
    );
    if let Some(out) = &job.out {
        text.push_str("\nResults: ");
        text.push_str(out);
    }
    if let Some(error) = &job.error {
        text.push_str("\nReason: ");
        text.push_str(error);
    }
    text
}
