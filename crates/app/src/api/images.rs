//! Picture batches.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::jobs::JobInfo;

/// Lists recipes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct ImagesRecipes {}

/// Starts a batch.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ImagesRun {
    /// Absolute paths of folders and files; folders are walked, hidden files left alone.
    pub inputs: Vec<String>,
    /// Recipe name.
    pub recipe: String,
    /// Folder for the results.
    pub out: String,
    /// CSV of the results, written as they come.
    pub export: Option<String>,
    /// `auto`, `cpu` or `gpu`: `auto` unless given.
    pub backend: Option<String>,
    /// Workers at most; measured unless given.
    pub workers: Option<u32>,
    /// Rows of the CSV after which it is made durable: 1,000 unless given.
    #[serde(default)]
    pub every: Option<u32>,
}

/// A recipe.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct RecipeInfo {
    /// Its name.
    pub name: String,
    /// What it does, in English.
    pub summary: String,
    /// Its steps, in order.
    pub steps: Vec<String>,
}

/// A batch was queued.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct ImagesStarted {
    /// The job.
    pub job: JobInfo,
    /// Files that are no pictures by their name, and were left out.
    pub ignored: u64,
}
