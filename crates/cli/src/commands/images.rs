//! `artel images`.

use std::path::PathBuf;

use artel_app::api::images::{ImagesRecipes, ImagesRun};
use clap::{Args, Subcommand};
use serde_json::json;

use super::jobs::follow;
use crate::context::{Context, Exit, absolute};

#[derive(Subcommand)]
pub(crate) enum ImagesCommand {
    /// List the recipes
    #[command(after_help = "Example: artel images recipes")]
    Recipes,
    /// Process folders of pictures; what is done already is skipped
    #[command(
        after_help = "Example: artel images run Photos --recipe web --out Web --export results.csv\n\n\
        Ctrl-C pauses the batch; go on with: artel jobs resume JOB"
    )]
    Run(RunArgs),
}

/// Arguments of `images run`.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// Folders and pictures
    #[arg(required = true, value_name = "DIR")]
    inputs: Vec<PathBuf>,
    /// What to do with each picture
    #[arg(long, value_name = "NAME")]
    recipe: String,
    /// Folder for the results; subfolders are mirrored, files there are never overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// CSV of the results, written as they come
    #[arg(long, value_name = "F.csv")]
    export: Option<PathBuf>,
    /// Make the CSV durable after every N rows
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "export")]
    every: u32,
    /// Workers at most; as many as help unless given
    #[arg(long, value_name = "N")]
    workers: Option<u32>,
}

pub(crate) async fn run(context: &Context, command: ImagesCommand) -> anyhow::Result<Exit> {
    match command {
        ImagesCommand::Recipes => recipes(context).await,
        ImagesCommand::Run(args) => batch(context, args).await,
    }
}

async fn recipes(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let recipes = client.call(ImagesRecipes {}).await;
    client.close().await;
    context.output.many(
        &recipes?,
        &["recipe", "what it does", "steps"],
        |recipe| {
            vec![
                recipe.name.clone(),
                recipe.summary.clone(),
                recipe.steps.join(", "),
            ]
        },
        "There are no recipes.",
    )?;
    Ok(Exit::Done)
}

async fn batch(context: &Context, args: RunArgs) -> anyhow::Result<Exit> {
    let command = ImagesRun {
        inputs: args
            .inputs
            .iter()
            .map(|path| absolute(path))
            .collect::<Result<_, _>>()?,
        recipe: args.recipe,
        out: absolute(&args.out)?,
        export: args.export.as_deref().map(absolute).transpose()?,
        backend: Some(context.backend()),
        workers: args.workers,
        every: Some(args.every),
    };
    let client = context.client().await?;
    let exit = async {
        let started = client.call(command).await?;
        if started.ignored > 0 {
            context.output.hint(&format!(
                "{} files are no pictures by their names and were left out.",
                started.ignored
            ));
        }
        let besides = [("ignored", json!(started.ignored))];
        follow(context, &client, started.job, &besides).await
    }
    .await;
    client.close().await;
    exit
}
