//! This machine: version and GPU.

use artel_compute::gpu::AdapterKind;

use crate::{
    api::{Command, Handle, machine as api},
    error::AppError,
    host::Host,
};

impl Handle<api::GpuInfo> for Host {
    async fn handle(&self, _: api::GpuInfo) -> Result<<api::GpuInfo as Command>::Reply, AppError> {
        Ok(tokio::task::spawn_blocking(report).await?)
    }
}

/// The adapters, and which of them is used unless a command asks otherwise.
fn report() -> api::GpuReport {
    let adapters = artel_compute::gpu::adapters();
    let best = adapters.first();
    let software = best.is_some_and(|best| best.kind == AdapterKind::Cpu);
    let in_use = best.filter(|_| !software).map(|best| best.name.clone());
    let reason = match best {
        None => Some("no graphics adapter with Vulkan, Metal or DirectX 12 was found".to_owned()),
        Some(best) if software => Some(format!(
            "{} is software: it is used only when asked for with --backend gpu",
            best.name
        )),
        Some(_) => None,
    };
    api::GpuReport {
        in_use,
        reason,
        adapters: adapters
            .into_iter()
            .map(|adapter| api::Adapter {
                name: adapter.name,
                api: adapter.api.to_owned(),
                kind: adapter.kind.to_string(),
                driver: adapter.driver,
                max_buffer: adapter.max_buffer,
            })
            .collect(),
    }
}

impl Handle<api::HostInfo> for crate::host::Host {
    async fn handle(
        &self,
        _: api::HostInfo,
    ) -> Result<<api::HostInfo as Command>::Reply, AppError> {
        let memory = sysinfo::System::new_with_specifics(
            sysinfo::RefreshKind::nothing()
                .with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
        )
        .map_or(0, |system| system.total_memory());
        Ok(api::HostInfoReply {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            home: self.home().display().to_string(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cores: std::thread::available_parallelism()
                .ok()
                .and_then(|cores| u32::try_from(cores.get()).ok())
                .unwrap_or(1),
            memory,
        })
    }
}
