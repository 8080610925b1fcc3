//! Nodes against one another, without a network.

mod attacks;
mod fold;
mod hostile;
mod hosts;
mod membership;
mod restored;
mod scenes;
mod simulator;
