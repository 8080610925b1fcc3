//! Nodes against one another, without a network.

mod hosts;
mod hostile;
mod scenes;
mod simulator;
mod fold;
