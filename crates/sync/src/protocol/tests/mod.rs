//! Nodes against one another, without a network.

mod any_frame;
mod attacks;
mod bundle;
mod company;
mod crowd;
mod doors;
mod files;
mod fold;
mod hostile;
mod hosts;
mod joining;
mod latest;
mod membership;
mod pages;
mod policy;
mod registers;
mod restored;
mod scenes;
mod sealed;
mod simulator;
