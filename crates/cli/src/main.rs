//! The `artel` command: everything Artel does, without a window.
//!
//! Results go to standard output, as tables or with `--json` as one object a line; progress,
//! hints and errors to standard error. Exit status: 0 done, 1 failed, 2 wrong usage, 3 done in
//! part.

mod client;
mod commands;
mod context;
mod output;
mod stop;
mod when;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};

use crate::{commands as c, context::Context};

/// A desk for a room of computers without a server: talk, compute, share.
#[derive(Parser)]
#[command(name = "artel", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(clap::Args)]
pub(crate) struct Global {
    /// Folder of the profiles; the platform's data folder unless given
    #[arg(long, global = true, env = "ARTEL_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// Profile to use; may be left out where there is only one
    #[arg(long, global = true, env = "ARTEL_PROFILE", value_name = "NAME")]
    profile: Option<String>,
    /// File whose first line is the passphrase; ARTEL_PASSPHRASE or a prompt otherwise
    #[arg(long, global = true, value_name = "F")]
    passphrase_file: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    /// Where to compute
    #[arg(long, global = true, value_enum, default_value_t = Backend::Auto)]
    backend: Backend,
    /// Say more on standard error; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// Where to compute.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Backend {
    /// The faster one, by measurement.
    Auto,
    /// The processor.
    Cpu,
    /// The graphics adapter.
    Gpu,
}

#[derive(Subcommand)]
enum Command {
    /// Show it all on this machine: two peers, a message, pictures, prices, products, a share
    #[command(after_help = "Example: artel demo")]
    Demo,
    /// Profiles: new, list, show, lock, passwd, delete
    #[command(
        subcommand,
        after_help = "Example: artel profile new \"Olena Tkachenko\""
    )]
    Profile(c::profile::ProfileCommand),
    /// Spaces: found, join, invite, members, roles, reports
    #[command(subcommand, after_help = "Example: artel space new \"Class 7B\"")]
    Space(c::space::SpaceCommand),
    /// The devices of this person
    #[command(subcommand, after_help = "Example: artel device list")]
    Device(c::device::DeviceCommand),
    /// Rooms: new, list, send, read, notes, save, report
    #[command(
        subcommand,
        after_help = "Example: artel room send General \"Good morning\""
    )]
    Room(c::room::RoomCommand),
    /// Write to one member: only the two of you can read it
    Dm(c::dm::DmArgs),
    /// Share a finished result to a room
    Share(c::share::ShareArgs),
    /// Run the peer in the foreground, without a window
    Node(c::node::NodeArgs),
    /// Peers: list and dial
    #[command(subcommand, after_help = "Example: artel net peers")]
    Net(c::net::NetCommand),
    /// Prices and indicators
    #[command(subcommand, after_help = "Example: artel market import GOOG.csv")]
    Market(c::market::MarketCommand),
    /// Picture batches
    #[command(
        subcommand,
        after_help = "Example: artel images run Photos --recipe web --out Web"
    )]
    Images(c::images::ImagesCommand),
    /// Products, recommendations and Rich Content
    #[command(subcommand, after_help = "Example: artel catalog import products.csv")]
    Catalog(c::catalog::CatalogCommand),
    /// Jobs: list, show, failed, pause, resume, cancel, retry
    #[command(subcommand, after_help = "Example: artel jobs list --active")]
    Jobs(c::jobs::JobsCommand),
    /// Health, backup, verify, restore
    #[command(subcommand, after_help = "Example: artel care backup")]
    Care(c::care::CareCommand),
    /// Graphics adapters
    #[command(subcommand, after_help = "Example: artel gpu info")]
    Gpu(c::gpu::GpuCommand),
    /// Settings: list, get, set
    #[command(subcommand, after_help = "Example: artel settings list")]
    Settings(c::settings::SettingsCommand),
    /// Print shell completions
    #[command(
        after_help = "Example: artel completions bash > ~/.local/share/bash-completion/completions/artel"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let json = std::env::args_os().any(|word| word == "--json");
            return output::usage(json, &error);
        }
    };
    start_log(cli.global.verbose);
    quiet_mesa();
    let json = cli.global.json;
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(reason) => return output::fail(json, &reason.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(exit) => exit.into(),
        Err(error) if output::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => output::fail(json, &error),
    }
}

/// Outside a desktop session a layer of Mesa looks for a Wayland desktop wherever adapters are listed, and says on standard
/// error that there is none. Without a desktop nothing is lost with that layer: it only puts the desktop's adapter first.
#[cfg(target_os = "linux")]
fn quiet_mesa() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        #[expect(unsafe_code, reason = "the only way to reach the layer")]
        // SAFETY: no other thread runs yet that could read the environment meanwhile.
        unsafe {
            std::env::set_var("NODEVICE_SELECT", "1");
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn quiet_mesa() {}

async fn run(cli: Cli) -> anyhow::Result<context::Exit> {
    let context = Context::new(cli.global)?;
    match cli.command {
        Command::Demo => c::demo::run(&context).await,
        Command::Profile(command) => c::profile::run(&context, command).await,
        Command::Space(command) => c::space::run(&context, command).await,
        Command::Device(command) => c::device::run(&context, command).await,
        Command::Room(command) => c::room::run(&context, command).await,
        Command::Dm(args) => c::dm::run(&context, args).await,
        Command::Share(args) => c::share::run(&context, args).await,
        Command::Node(args) => c::node::run(&context, args).await,
        Command::Net(command) => c::net::run(&context, command).await,
        Command::Market(command) => c::market::run(&context, command).await,
        Command::Images(command) => c::images::run(&context, command).await,
        Command::Catalog(command) => c::catalog::run(&context, command).await,
        Command::Jobs(command) => c::jobs::run(&context, command).await,
        Command::Care(command) => c::care::run(&context, command).await,
        Command::Gpu(command) => c::gpu::run(&context, command).await,
        Command::Settings(command) => c::settings::run(&context, command).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(
                shell,
                &mut <Cli as clap::CommandFactory>::command(),
                "artel",
                &mut script,
            );
            std::io::stdout().lock().write_all(&script)?;
            Ok(context::Exit::Done)
        }
    }
}

/// Logs go to standard error; `ARTEL_LOG` has the last word.
fn start_log(verbose: u8) {
    let default = match verbose {
        0 => "error",
        1 => "artel=info,warn",
        _ => "artel=debug,info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("ARTEL_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}
