//! The device in use and how kernels run on it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{AdapterFacts, GpuError, adapter, buffer::Buffer, buffer::Pool};

/// Longest wait for one submission. Systems reset a device long before.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a new device is tried after one was lost.
const RESTARTS: u32 = 3;

/// A kernel: a WGSL source with one compute entry point. Make it a `const` beside its CPU twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Name, unique among kernels; pipelines and calibrations are kept by it.
    pub name: &'static str,
    /// The source.
    pub wgsl: &'static str,
    /// The entry point.
    pub entry: &'static str,
}

/// One run of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Buffers bound to `@group(0)`, in order. One buffer cannot be bound for reading and writing.
    pub buffers: &'a [&'a Buffer],
    /// Workgroups in each dimension, within [`Gpu::max_groups`].
    pub groups: [u32; 3],
}

/// A started graphics device. Thread-safe; kernels of several threads take turns on it.
pub struct Gpu {
    facts: AdapterFacts,
    device: wgpu::Device,
    queue: wgpu::Queue,
    limits: wgpu::Limits,
    pool: Arc<Pool>,
    pipelines: Mutex<HashMap<&'static str, Arc<wgpu::ComputePipeline>>>,
    lost: Arc<OnceLock<String>>,
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

struct Shared {
    gpu: Option<Arc<Gpu>>,
    restarts: u32,
    /// Nothing changes this before the program is started again.
    failed: Option<GpuError>,
}

impl Gpu {
    /// Starts a device of the best adapter, of its own. Most callers want [`Gpu::shared`].
    pub fn start() -> Result<Arc<Self>, GpuError> {
        let (facts, adapter) = adapter::best(&adapter::instance())?;
        let offered = adapter.limits();
        let limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            ..wgpu::Limits::default()
        };
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("artel"),
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        });
        let (device, queue) = pollster::block_on(request).map_err(|reason| GpuError::Refused {
            adapter: facts.name.clone(),
            reason: reason.to_string(),
        })?;
        let lost = Arc::new(OnceLock::new());
        let remember = Arc::clone(&lost);
        device.set_device_lost_callback(move |_, reason| {
            // The first reason is the true one; what follows is its consequence.
            let _ = remember.set(reason);
        });
        device.on_uncaptured_error(Arc::new(|error| {
            tracing::error!(%error, "the graphics device reported an error outside any kernel");
        }));
        Ok(Arc::new(Self {
            facts,
            device,
            queue,
            limits,
            pool: Arc::default(),
            pipelines: Mutex::default(),
            lost,
        }))
    }

    /// The device that the whole process shares, started when first asked for and again, a few
    /// times, after it was lost.
    pub fn shared() -> Result<Arc<Self>, GpuError> {
        static SHARED: Mutex<Shared> = Mutex::new(Shared {
            gpu: None,
            restarts: 0,
            failed: None,
        });
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &shared.failed {
            return Err(error.clone());
        }
        if let Some(gpu) = &shared.gpu {
            let Some(error) = gpu.lost() else {
                return Ok(Arc::clone(gpu));
            };
            tracing::warn!(%error, "a new device is tried");
            shared.gpu = None;
            shared.restarts += 1;
            if shared.restarts > RESTARTS {
                shared.failed = Some(error.clone());
                return Err(error);
            }
        }
        match Self::start() {
            Ok(gpu) => {
                shared.gpu = Some(Arc::clone(&gpu));
                Ok(gpu)
            }
            Err(error) => {
                shared.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// What is known of its adapter.
    pub fn facts(&self) -> &AdapterFacts {
        &self.facts
    }

    /// Largest storage buffer that one kernel can be given, in bytes. Larger work is done in tiles.
    pub fn max_binding(&self) -> u64 {
        self.limits
            .max_storage_buffer_binding_size
            .min(self.limits.max_buffer_size)
    }

    /// Most workgroups in one dimension of a dispatch.
    pub fn max_groups(&self) -> u32 {
        self.limits.max_compute_workgroups_per_dimension
    }

    /// Why it can no longer be used, if so.
    pub fn lost(&self) -> Option<GpuError> {
        self.lost.get().map(|reason| GpuError::Lost {
            adapter: self.facts.name.clone(),
            reason: reason.clone(),
        })
    }

    /// A storage buffer of undefined content, for outputs and what passes between kernels.
    pub fn storage(&self, bytes: u64) -> Result<Buffer, GpuError> {
        self.buffer(
            wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_DST
                | wgpu::BufferUsages::COPY_SRC,
            "a buffer",
            bytes,
            self.max_binding(),
        )
    }

    /// A storage buffer with this content. Its length is padded to four bytes.
    pub fn upload(&self, content: &[u8]) -> Result<Buffer, GpuError> {
        let buffer = self.storage(content.len() as u64)?;
        self.fill(&buffer, content)?;
        Ok(buffer)
    }

    /// A uniform buffer with this content, for the settings of a kernel.
    pub fn uniform(&self, content: &[u8]) -> Result<Buffer, GpuError> {
        let buffer = self.buffer(
            wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            "a set of parameters",
            content.len() as u64,
            self.limits.max_uniform_buffer_binding_size,
        )?;
        self.fill(&buffer, content)?;
        Ok(buffer)
    }

    /// Runs kernels one after the other, each seeing what those before it wrote, and reads the
    /// named buffers back.
    pub fn run(
        &self,
        dispatches: &[Dispatch<'_>],
        read: &[&Buffer],
    ) -> Result<Vec<Vec<u8>>, GpuError> {
        self.usable()?;
        let scopes = [
            self.device.push_error_scope(wgpu::ErrorFilter::Internal),
            self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory),
            self.device.push_error_scope(wgpu::ErrorFilter::Validation),
        ];
        let result = self.submit(dispatches, read);
        let mut refused = None;
        for scope in scopes.into_iter().rev() {
            if let Some(error) = pollster::block_on(scope.pop()) {
                refused = Some(GpuError::Failed(error.to_string()));
            }
        }
        self.usable()?;
        match refused {
            Some(error) => Err(error),
            None => result,
        }
    }

    fn submit(
        &self,
        dispatches: &[Dispatch<'_>],
        read: &[&Buffer],
    ) -> Result<Vec<Vec<u8>>, GpuError> {
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for dispatch in dispatches {
            if dispatch
                .groups
                .iter()
                .any(|groups| *groups > self.max_groups())
            {
                return Err(GpuError::Failed(format!(
                    "{} wants {:?} workgroups of at most {} in one dimension",
                    dispatch.kernel.name,
                    dispatch.groups,
                    self.max_groups()
                )));
            }
            let pipeline = self.pipeline(dispatch.kernel);
            let entries: Vec<_> = (0_u32..)
                .zip(dispatch.buffers)
                .filter_map(|(binding, buffer)| {
                    Some(wgpu::BindGroupEntry {
                        binding,
                        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                            buffer: buffer.raw()?,
                            offset: 0,
                            size: std::num::NonZeroU64::new(buffer.bytes().next_multiple_of(4)),
                        }),
                    })
                })
                .collect();
            let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(dispatch.kernel.name),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(dispatch.kernel.name),
                timestamp_writes: None,
            });
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            let [x, y, z] = dispatch.groups;
            pass.dispatch_workgroups(x, y, z);
        }
        let mut copies = Vec::with_capacity(read.len());
        for buffer in read {
            let copy = self.buffer(
                wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                "a result",
                buffer.bytes(),
                self.limits.max_buffer_size,
            )?;
            if let (Some(from), Some(to)) = (buffer.raw(), copy.raw()) {
                encoder.copy_buffer_to_buffer(from, 0, to, 0, buffer.bytes().next_multiple_of(4));
            }
            copies.push(copy);
        }
        let submission = self.queue.submit([encoder.finish()]);
        let mapped = Arc::new(Mutex::new(Vec::new()));
        for copy in copies.iter().filter_map(Buffer::raw) {
            let mapped = Arc::clone(&mapped);
            copy.map_async(wgpu::MapMode::Read, .., move |result| {
                if let Err(reason) = result {
                    mapped
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(reason.to_string());
                }
            });
        }
        let waited = self.device.poll(wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: Some(PATIENCE),
        });
        match waited {
            Ok(_) => {}
            Err(reason @ wgpu::PollError::Timeout) => {
                // A device that does not answer is not asked again.
                let _ = self.lost.set(reason.to_string());
                self.usable()?;
            }
            // The submission was refused; the error scopes around this know why.
            Err(reason) => return Err(GpuError::Failed(reason.to_string())),
        }
        if let Some(reason) = mapped.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Err(GpuError::Failed(reason));
        }
        copies
            .iter()
            .map(|copy| {
                let raw = copy
                    .raw()
                    .ok_or_else(|| GpuError::Failed("a buffer is gone".to_owned()))?;
                let view = raw
                    .get_mapped_range(..)
                    .map_err(|reason| GpuError::Failed(reason.to_string()))?;
                let bytes = usize::try_from(copy.bytes()).unwrap_or(usize::MAX);
                let content = view
                    .get(..bytes.min(view.len()))
                    .unwrap_or_default()
                    .to_vec();
                drop(view);
                raw.unmap();
                Ok(content)
            })
            .collect()
    }

    fn pipeline(&self, kernel: &Kernel) -> Arc<wgpu::ComputePipeline> {
        let mut pipelines = self
            .pipelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let pipeline = pipelines.entry(kernel.name).or_insert_with(|| {
            let module = self
                .device
                .create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some(kernel.name),
                    source: wgpu::ShaderSource::Wgsl(kernel.wgsl.into()),
                });
            Arc::new(
                self.device
                    .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                        label: Some(kernel.name),
                        layout: None,
                        module: &module,
                        entry_point: Some(kernel.entry),
                        compilation_options: wgpu::PipelineCompilationOptions::default(),
                        cache: None,
                    }),
            )
        });
        Arc::clone(pipeline)
    }

    fn buffer(
        &self,
        usage: wgpu::BufferUsages,
        what: &'static str,
        bytes: u64,
        limit: u64,
    ) -> Result<Buffer, GpuError> {
        if bytes.next_multiple_of(4) > limit {
            return Err(GpuError::TooLarge {
                what,
                wanted: bytes,
                limit,
            });
        }
        self.usable()?;
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.pool.take(
            &self.device,
            usage,
            bytes.max(4),
            self.limits.max_buffer_size,
        );
        match pollster::block_on(scope.pop()) {
            Some(error) => Err(GpuError::Failed(error.to_string())),
            None => Ok(buffer),
        }
    }

    fn fill(&self, buffer: &Buffer, content: &[u8]) -> Result<(), GpuError> {
        let Some(raw) = buffer.raw() else {
            return Ok(());
        };
        let whole = content.len() / 4 * 4;
        let (body, tail) = content.split_at(whole);
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        self.queue.write_buffer(raw, 0, body);
        if !tail.is_empty() {
            let mut padded = [0_u8; 4];
            for (to, from) in padded.iter_mut().zip(tail) {
                *to = *from;
            }
            self.queue.write_buffer(raw, whole as u64, &padded);
        }
        match pollster::block_on(scope.pop()) {
            Some(error) => Err(GpuError::Failed(error.to_string())),
            None => Ok(()),
        }
    }

    fn usable(&self) -> Result<(), GpuError> {
        self.lost().map_or(Ok(()), Err)
    }
}
