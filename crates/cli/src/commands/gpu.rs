//! `artel gpu`.

use artel_app::api::{Handle as _, machine::GpuInfo};
use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum GpuCommand {
    /// List the graphics adapters and say which is used
    #[command(after_help = "Example: artel gpu info")]
    Info,
}

pub(crate) async fn run(context: &Context, command: GpuCommand) -> anyhow::Result<Exit> {
    let GpuCommand::Info = command;
    let report = context.host.handle(GpuInfo {}).await?;
    if context.output.json() {
        context.output.one(&report, String::new)?;
        return Ok(Exit::Done);
    }
    context.output.many(
        &report.adapters,
        &["adapter", "interface", "kind", "driver", "largest buffer"],
        |adapter| {
            vec![
                adapter.name.clone(),
                adapter.api.clone(),
                adapter.kind.clone(),
                adapter.driver.clone(),
                format!("{} MB", adapter.max_buffer >> 20),
            ]
        },
        "There are no graphics adapters.",
    )?;
    match (&report.in_use, &report.reason) {
        (Some(name), _) => context.output.hint(&format!("In use: {name}")),
        (None, Some(reason)) => context.output.hint(&format!("None is in use: {reason}")),
        (None, None) => {}
    }
    Ok(Exit::Done)
}
