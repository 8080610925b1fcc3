//! Which graphics adapters there are.

use std::fmt;

use super::GpuError;

/// What an adapter is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdapterKind {
    /// A card with its own memory.
    Discrete,
    /// A part of the processor, sharing its memory.
    Integrated,
    /// Passed through to a virtual machine.
    Virtual,
    /// Something else.
    Other,
    /// Software on the CPU: right, never fast.
    Cpu,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Other => "other",
            Self::Cpu => "cpu",
        })
    }
}

/// What is known of an adapter without starting it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterFacts {
    /// Its name.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`.
    pub api: &'static str,
    /// What it is.
    pub kind: AdapterKind,
    /// Driver and its version.
    pub driver: String,
    /// Largest buffer in bytes.
    pub max_buffer: u64,
    /// Largest part of a buffer that one kernel can see, in bytes.
    pub max_binding: u64,
}

/// All adapters, best first.
pub fn adapters() -> Vec<AdapterFacts> {
    list(&instance())
        .into_iter()
        .map(|(facts, _)| facts)
        .collect()
}

pub(super) fn instance() -> wgpu::Instance {
    let mut wanted = wgpu::InstanceDescriptor::new_without_display_handle();
    wanted.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    wanted.flags = wgpu::InstanceFlags::empty();
    wgpu::Instance::new(wanted)
}

/// The best adapter of this instance.
pub(super) fn best(instance: &wgpu::Instance) -> Result<(AdapterFacts, wgpu::Adapter), GpuError> {
    list(instance).into_iter().next().ok_or(GpuError::NoAdapter)
}

fn list(instance: &wgpu::Instance) -> Vec<(AdapterFacts, wgpu::Adapter)> {
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let mut adapters: Vec<_> = adapters
        .into_iter()
        .map(|adapter| (facts(&adapter), adapter))
        .collect();
    adapters.sort_by_key(|(facts, _)| facts.kind);
    adapters
}

fn facts(adapter: &wgpu::Adapter) -> AdapterFacts {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let driver = [info.driver, info.driver_info]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    AdapterFacts {
        name: info.name,
        api: match info.backend {
            wgpu::Backend::Vulkan => "vulkan",
            wgpu::Backend::Metal => "metal",
            wgpu::Backend::Dx12 => "dx12",
            _ => "other",
        },
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Cpu,
            wgpu::DeviceType::Other => AdapterKind::Other,
        },
        driver,
        max_buffer: limits.max_buffer_size,
        max_binding: limits.max_storage_buffer_binding_size,
    }
}
