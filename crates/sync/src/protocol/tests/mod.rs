//! Nodes against one another, without a network.

mod any_frame;
mod attacks;
mod fold;
mod hostile;
mod hosts;
mod joining;
mod membership;
mod pages;
mod registers;
mod restored;
mod scenes;
mod sealed;
mod simulator;
