//! `artel catalog`.

use std::path::{Path, PathBuf};

use artel_app::api::catalog::{
    CatalogEnrich, CatalogExport, CatalogFile, CatalogImport, CatalogStatistics, CatalogStats,
    CatalogValidate, CatalogValidated,
};
use clap::{Args, Subcommand};
use serde_json::json;

use super::imports::{self, Imported as _, column};
use crate::{
    client::Client,
    context::{Context, Exit, absolute},
};

#[derive(Subcommand)]
pub(crate) enum CatalogCommand {
    /// Import product files
    #[command(after_help = "Examples:\n  artel catalog import Категория.xlsx\n  \
        artel catalog import товары.csv --map vendor_code=Код --map name=Имя")]
    Import(ImportArgs),
    /// Find similar products and build a document for each
    #[command(after_help = "Example:\n  artel catalog enrich --brand Synthetic --preset seasonal")]
    Enrich(EnrichArgs),
    /// Count products, documents and reasons for having none
    #[command(after_help = "Example:\n  artel catalog stats --json")]
    Stats,
    /// Write the documents to a file
    #[command(after_help = "Example:\n  artel catalog export --out rich.csv")]
    Export(ExportArgs),
    /// Check the documents
    #[command(after_help = "Example:\n  artel catalog validate 100")]
    Validate {
        /// At most this many; all unless given
        #[arg(value_name = "N")]
        limit: Option<u64>,
    },
}

#[derive(Args)]
pub(crate) struct ImportArgs {
    /// CSV and XLSX files, and folders of them
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Names a column: a field, such as `vendor_code`, and its header
    #[arg(long, value_name = "C=F", value_parser = column)]
    map: Vec<(String, String)>,
}

#[derive(Args)]
pub(crate) struct EnrichArgs {
    /// Only this brand
    #[arg(long, value_name = "B")]
    brand: Option<String>,
    /// At most this many products
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Weights: standard, size, seasonal, material or conservative
    #[arg(long, value_name = "P", default_value = "standard")]
    preset: String,
    /// Kind of document
    #[arg(long, value_name = "T", default_value = "showcase")]
    template: String,
    /// Also what is done and has not changed
    #[arg(long)]
    all: bool,
    /// Address of a picture for the roll at the head
    #[arg(long, value_name = "URL")]
    header_image: Option<String>,
    /// Address of a picture for the roll at the foot
    #[arg(long, value_name = "URL")]
    footer_image: Option<String>,
}

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// A .csv or .jsonl file
    #[arg(long, value_name = "F.csv|F.jsonl")]
    out: PathBuf,
    /// Only this brand
    #[arg(long, value_name = "B")]
    brand: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Also products without a document
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(context: &Context, command: CatalogCommand) -> anyhow::Result<Exit> {
    match command {
        CatalogCommand::Import(args) => import(context, args).await,
        CatalogCommand::Enrich(args) => enrich(context, args).await,
        CatalogCommand::Stats => stats(context).await,
        CatalogCommand::Export(args) => export(context, args).await,
        CatalogCommand::Validate { limit } => validate(context, limit).await,
    }
}

async fn import(context: &Context, args: ImportArgs) -> anyhow::Result<Exit> {
    let command = CatalogImport {
        paths: args
            .files
            .iter()
            .map(|path| absolute(path))
            .collect::<Result<_, _>>()?,
        map: args.map,
    };
    let client = context.client().await?;
    let imported = client.call(command).await;
    client.close().await;
    let files = imported?.files;
    let header = ["products", "added", "changed", "skipped", "format", "file"];
    let exit = imports::report(context, &files, &header, file_row)?;
    for file in files.iter().filter(|file| file.error.is_none()) {
        switched_off(context, &file.switched_off);
    }
    Ok(exit)
}

fn file_row(file: &CatalogFile) -> Vec<String> {
    vec![
        file.products.to_string(),
        file.added.to_string(),
        file.changed.to_string(),
        file.skipped_total.to_string(),
        file.format.clone().unwrap_or_default(),
        file.named(),
    ]
}

fn switched_off(context: &Context, names: &[String]) {
    if !names.is_empty() {
        context.output.hint(&format!(
            "Off, since there is no column for it: {}",
            names.join(", ")
        ));
    }
}

async fn enrich(context: &Context, args: EnrichArgs) -> anyhow::Result<Exit> {
    let command = CatalogEnrich {
        brand: args.brand,
        limit: args.limit,
        preset: Some(args.preset),
        template: Some(args.template),
        all: args.all,
        header_image: args.header_image,
        footer_image: args.footer_image,
    };
    let client = context.client().await?;
    let outcome = enrich_with(context, &client, command).await;
    client.close().await;
    outcome
}

async fn enrich_with(
    context: &Context,
    client: &Client,
    command: CatalogEnrich,
) -> anyhow::Result<Exit> {
    let started = client.call(command).await?;
    switched_off(context, &started.switched_off);
    let besides = [("switched_off", json!(started.switched_off))];
    super::jobs::follow(context, client, started.job, &besides).await
}

async fn stats(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let stats = client.call(CatalogStats {}).await;
    client.close().await;
    let stats = stats?;
    context.output.one(&stats, || statistics(&stats))?;
    switched_off(context, &stats.switched_off);
    if stats.outdated > 0 {
        context.output.hint(&format!(
            "{} results are older than the products. Bring them up to date: artel catalog enrich",
            stats.outdated
        ));
    }
    Ok(Exit::Done)
}

fn statistics(stats: &CatalogStatistics) -> String {
    let mut lines = vec![
        ("products".to_owned(), stats.products.to_string()),
        ("documents".to_owned(), stats.documents.to_string()),
        (
            "recommendations a document".to_owned(),
            format!("{:.1}", stats.mean_recommendations),
        ),
    ];
    for (reason, count) in &stats.without {
        lines.push((format!("none: {}", in_words(reason)), count.to_string()));
    }
    for (brand, count) in &stats.brands {
        let brand = if brand.is_empty() {
            "(no brand)"
        } else {
            brand
        };
        lines.push((format!("brand {brand}"), count.to_string()));
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for (name, value) in lines {
        table.add_row([name, value]);
    }
    table.to_string()
}

/// What the code of a reason means.
fn in_words(reason: &str) -> &str {
    match reason {
        "too_few" => "too few similar products",
        "unusable" => "similar products are not in stock, or without barcode or picture",
        "alone" => "nothing else of this type, gender and brand",
        "unknown" => "type, gender or brand not given",
        "not_enriched" => "not built yet",
        other => other,
    }
}

async fn export(context: &Context, args: ExportArgs) -> anyhow::Result<Exit> {
    let command = CatalogExport {
        out: absolute(&args.out)?,
        brand: args.brand,
        limit: args.limit,
        all: args.all,
    };
    let client = context.client().await?;
    let exported = client.call(command).await;
    client.close().await;
    let exported = exported?;
    context.output.one(&exported, || {
        format!(
            "{} rows in {}",
            exported.rows,
            Path::new(&exported.path).display()
        )
    })?;
    if exported.rows == 0 {
        context
            .output
            .hint("There are no documents yet. Build them: artel catalog enrich");
    }
    Ok(Exit::Done)
}

async fn validate(context: &Context, limit: Option<u64>) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let checked = client.call(CatalogValidate { limit }).await;
    client.close().await;
    let checked = checked?;
    let CatalogValidated {
        checked: looked_at,
        valid,
        ..
    } = checked;
    context.output.one(&checked, || {
        format!("{valid} of {looked_at} documents are valid")
    })?;
    for (kind, list) in [("fault", &checked.faults), ("warning", &checked.warnings)] {
        for (code, what) in list {
            context.output.hint(&format!("{kind} in {code}: {what}"));
        }
    }
    Ok(if valid == looked_at {
        Exit::Done
    } else {
        Exit::InPart
    })
}
