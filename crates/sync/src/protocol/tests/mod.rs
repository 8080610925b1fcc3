//! Nodes against one another, without a network.

mod any_frame;
mod attacks;
mod bundle;
mod company;
mod fold;
mod hostile;
mod hosts;
mod joining;
mod membership;
mod pages;
mod restored;
mod scenes;
mod simulator;
