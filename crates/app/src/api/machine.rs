//! This machine: version, GPU, settings.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Asks what this is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct HostInfo {}

/// What this is.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct HostInfoReply {
    /// Version of Artel.
    pub version: String,
    /// Folder of all profiles.
    pub home: String,
    /// Operating system and architecture.
    pub platform: String,
    /// Processor cores.
    pub cores: u32,
    /// Memory in bytes.
    pub memory: u64,
}

/// Asks for the graphics adapters.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct GpuInfo {}

/// The graphics adapters.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct GpuReport {
    /// The adapters.
    pub adapters: Vec<Adapter>,
    /// Name of the one in use, if any.
    pub in_use: Option<String>,
    /// Why none is in use.
    pub reason: Option<String>,
}

/// A graphics adapter.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`.
    pub api: String,
    /// `discrete`, `integrated`, `virtual`, `cpu` or `other`.
    pub kind: String,
    /// Driver and its version.
    pub driver: String,
    /// Largest buffer in bytes.
    pub max_buffer: u64,
}

/// Lists the settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct SettingsList {}

/// Changes a setting.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct SettingsSet {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A setting.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The value it has unless changed.
    pub default: String,
    /// What it may be, with its unit.
    pub allowed: String,
    /// What it does.
    pub summary: String,
}
