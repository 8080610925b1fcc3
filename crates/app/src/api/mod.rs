//! Every command and event of Artel, declared once.
//!
//! A command is a plain struct in one of the modules below and one line in the
//! [`commands!`] table at the end of this file. From that line come its wire name, the
//! dispatcher that the command line, the control socket and the window share, and the page's
//! TypeScript types. A command without a handler (`impl Handle<C>`) does not compile.

use serde::{Serialize, de::DeserializeOwned};
use ts_rs::TS;

use crate::error::AppError;

pub mod care;
pub mod catalog;
pub mod images;
pub mod jobs;
pub mod machine;
pub mod market;
pub mod notes;
pub mod profile;
pub mod rooms;

mod event;

pub use event::{Event, Notice, NoticeLevel};

/// A request with a typed reply.
pub trait Command: Serialize + DeserializeOwned + TS + Send + 'static {
    /// Name on the wire, as `place.verb`.
    const NAME: &'static str;
    /// What a successful call returns.
    type Reply: Serialize + DeserializeOwned + TS + Send + 'static;
}

/// Carries out one command. `Host` handles what needs no open profile, `Session` the rest.
pub trait Handle<C: Command> {
    /// Runs the command to its reply.
    fn handle(&self, command: C) -> impl Future<Output = Result<C::Reply, AppError>> + Send;
}

/// Name and TypeScript shapes of one command, for the generated bindings.
pub struct Declaration {
    /// Wire name.
    pub name: &'static str,
    /// TypeScript name of the arguments.
    pub args: fn(&ts_rs::Config) -> String,
    /// TypeScript expression of the reply.
    pub reply: fn(&ts_rs::Config) -> String,
    /// Writes the argument and reply types, with all they refer to, below the config's folder.
    pub export: fn(&ts_rs::Config) -> Result<(), ts_rs::ExportError>,
    /// Whether it needs an open profile.
    pub needs_session: bool,
}

macro_rules! commands {
    (@one $dispatch:ident, $target:ty, $needs:literal, $list:ident: $($name:literal $args:path => $reply:ty,)*) => {
        $(impl Command for $args {
            const NAME: &'static str = $name;
            type Reply = $reply;
        })*

        /// Declarations of the commands of this group, in the order of the table.
        pub const $list: &[Declaration] = &[$(Declaration {
            name: $name,
            args: |config| <$args as TS>::name(config),
            reply: |config| <$reply as TS>::name(config),
            export: |config| {
                <$args as TS>::export_all(config)?;
                export_reply::<$reply>(config)
            },
            needs_session: $needs,
        }),*];

        /// Finds the command by its wire name, decodes the arguments, runs it and encodes the reply.
        pub async fn $dispatch(
            target: &$target,
            name: &str,
            args: serde_json::Value,
        ) -> Result<serde_json::Value, AppError> {
            match name {
                $($name => {
                    let command: $args = serde_json::from_value(args)
                        .map_err(|reason| AppError::bad_arguments($name, &reason))?;
                    let reply = Handle::<$args>::handle(target, command).await?;
                    serde_json::to_value(reply).map_err(|reason| AppError::internal(&reason))
                })*
                _ => Err(AppError::unknown_command(name)),
            }
        }
    };
    (host { $($host:tt)* } session { $($session:tt)* }) => {
        commands!(@one dispatch_host, crate::host::Host, false, HOST_COMMANDS: $($host)*);
        commands!(@one dispatch_session, crate::session::Session, true, SESSION_COMMANDS: $($session)*);
    };
}

/// Exports a reply type; primitives and containers export what they contain.
fn export_reply<T: TS + 'static>(config: &ts_rs::Config) -> Result<(), ts_rs::ExportError> {
    struct Visit<'a>(&'a ts_rs::Config, Result<(), ts_rs::ExportError>);
    impl ts_rs::TypeVisitor for Visit<'_> {
        fn visit<U: TS + 'static + ?Sized>(&mut self) {
            if self.1.is_ok() && U::output_path().is_some() {
                self.1 = U::export_all(self.0);
            }
        }
    }
    let mut visit = Visit(config, Ok(()));
    if T::output_path().is_some() {
        T::export_all(config)?;
    }
    T::visit_dependencies(&mut visit);
    T::visit_generics(&mut visit);
    visit.1
}

commands! {
    host {
        "host.info" machine::HostInfo => machine::HostInfoReply,
        "gpu.info" machine::GpuInfo => machine::GpuReport,
        "profile.list" profile::ProfileList => Vec<profile::ProfileInfo>,
        "profile.new" profile::ProfileNew => profile::ProfileCreated,
        "profile.recover" profile::ProfileRecover => profile::RecoveryMade,
        "profile.delete" profile::ProfileDelete => (),
        "care.restore" care::CareRestore => care::Restored,
    }
    session {
        "profile.show" profile::ProfileShow => profile::ProfileDetail,
        "profile.passwd" profile::ProfilePasswd => profile::PassphraseChanged,
        "profile.recovery" profile::ProfileRecovery => profile::RecoveryMade,
        "profile.lock" profile::ProfileLock => (),
        "space.new" rooms::SpaceNew => rooms::SpaceInfo,
        "space.list" rooms::SpaceList => Vec<rooms::SpaceInfo>,
        "space.invite" rooms::SpaceInvite => rooms::InviteInfo,
        "space.invites" rooms::SpaceInvites => Vec<rooms::InviteState>,
        "space.door" rooms::SpaceDoor => rooms::DoorInfo,
        "space.door_show" rooms::SpaceDoorShow => rooms::DoorState,
        "space.door_close" rooms::SpaceDoorClose => rooms::DoorState,
        "space.join" rooms::SpaceJoin => rooms::Joined,
        "space.admit" rooms::SpaceAdmit => (),
        "space.remove" rooms::SpaceRemove => (),
        "space.erase" rooms::SpaceErase => (),
        "space.unblock" rooms::SpaceUnblock => (),
        "space.role" rooms::SpaceRole => (),
        "space.policy" rooms::SpacePolicy => Vec<rooms::PolicyInfo>,
        "space.revoke" rooms::SpaceRevoke => (),
        "space.leave" rooms::SpaceLeave => (),
        "space.show" rooms::SpaceShow => rooms::SpaceInfo,
        "device.list" rooms::DeviceList => Vec<rooms::DeviceInfo>,
        "device.revoke" rooms::DeviceRevoke => rooms::DeviceRevoked,
        "space.members" rooms::SpaceMembers => Vec<rooms::MemberInfo>,
        "space.join_cancel" rooms::SpaceJoinCancel => (),
        "room.new" rooms::RoomNew => rooms::RoomInfo,
        "room.list" rooms::RoomList => Vec<rooms::RoomInfo>,
        "room.send" rooms::RoomSend => rooms::Sent,
        "room.edit" rooms::RoomEdit => rooms::Edited,
        "room.delete" rooms::RoomDelete => rooms::Deletion,
        "room.report" rooms::RoomReport => rooms::Sent,
        "space.reports" rooms::SpaceReports => Vec<rooms::ReportInfo>,
        "room.undelete" rooms::RoomUndelete => rooms::Deletion,
        "room.react" rooms::RoomReact => rooms::Reacted,
        "room.read" rooms::RoomRead => rooms::Page,
        "room.seen" rooms::RoomSeen => (),
        "room.save" rooms::AttachmentSave => rooms::Saved,
        "notes.show" notes::NotesShow => notes::Notes,
        "notes.open" notes::NotesOpen => notes::Notes,
        "notes.edit" notes::NotesEdit => notes::Notes,
        "share" rooms::Share => rooms::Sent,
        "node.start" rooms::NodeStart => rooms::NodeInfo,
        "net.peers" rooms::NetPeers => rooms::Peers,
        "net.dial" rooms::NetDial => rooms::PeerInfo,
        "net.doctor" rooms::NetDoctor => care::Health,
        "net.export" rooms::NetExport => rooms::Exported,
        "net.import" rooms::NetImport => rooms::Imported,
        "jobs.list" jobs::JobList => Vec<jobs::JobInfo>,
        "jobs.show" jobs::JobShow => jobs::JobInfo,
        "jobs.items" jobs::JobItems => jobs::ItemPage,
        "jobs.pause" jobs::JobPause => jobs::JobInfo,
        "jobs.resume" jobs::JobResume => jobs::JobInfo,
        "jobs.cancel" jobs::JobCancel => jobs::JobInfo,
        "jobs.retry" jobs::JobRetry => jobs::JobInfo,
        "images.recipes" images::ImagesRecipes => Vec<images::RecipeInfo>,
        "images.run" images::ImagesRun => images::ImagesStarted,
        "market.import" market::MarketImport => market::MarketImported,
        "market.list" market::MarketList => Vec<market::SeriesInfo>,
        "market.functions" market::MarketFunctions => Vec<market::FunctionInfo>,
        "market.bars" market::MarketBars => market::Bars,
        "market.overlay" market::MarketOverlay => market::Overlay,
        "market.indicators" market::MarketIndicators => market::IndicatorsDone,
        "catalog.import" catalog::CatalogImport => catalog::CatalogImported,
        "catalog.enrich" catalog::CatalogEnrich => catalog::EnrichStarted,
        "catalog.stats" catalog::CatalogStats => catalog::CatalogStatistics,
        "catalog.products" catalog::CatalogProducts => catalog::ProductPage,
        "catalog.document" catalog::CatalogDocument => catalog::ProductDocument,
        "catalog.export" catalog::CatalogExport => catalog::CatalogExported,
        "catalog.validate" catalog::CatalogValidate => catalog::CatalogValidated,
        "care.health" care::CareHealth => care::Health,
        "care.backup" care::CareBackup => care::BackupInfo,
        "care.backups" care::CareBackups => Vec<care::BackupInfo>,
        "care.verify" care::CareVerify => care::Verified,
        "settings.list" machine::SettingsList => Vec<machine::Setting>,
        "settings.set" machine::SettingsSet => machine::Setting,
    }
}
