//! One module a command group; each turns arguments into calls and replies into lines.

pub(crate) mod care;
pub(crate) mod catalog;
pub(crate) mod demo;
pub(crate) mod device;
pub(crate) mod dm;
pub(crate) mod gpu;
pub(crate) mod images;
mod imports;
pub(crate) mod jobs;
pub(crate) mod market;
pub(crate) mod net;
pub(crate) mod node;
pub(crate) mod profile;
pub(crate) mod room;
pub(crate) mod settings;
pub(crate) mod share;
pub(crate) mod space;
