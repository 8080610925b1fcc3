//! Which places the page may ask to be shown: those that replies named as results, no others.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

/// How many places are remembered; the oldest make room.
const PLACES: usize = 1024;

/// Commands whose replies name results, and the fields that do.
const FIELDS: &[(&str, &str)] = &[
    ("jobs.", "out"),
    ("images.run", "out"),
    ("market.indicators", "out"),
    ("catalog.enrich", "out"),
    ("catalog.export", "path"),
    ("room.save", "path"),
    ("care.backup", "path"),
    ("profile.show", "path"),
];

/// Places that replies named as results.
#[derive(Default)]
pub(crate) struct Results {
    places: Mutex<VecDeque<PathBuf>>,
}

impl Results {
    /// Remembers the results that a reply names.
    pub(crate) fn remember(&self, command: &str, reply: &Value) {
        let mut found = Vec::new();
        for (_, field) in FIELDS
            .iter()
            .filter(|(start, _)| command.starts_with(start))
        {
            collect(reply, field, &mut found);
        }
        for place in found {
            self.add(place);
        }
    }

    /// Remembers one.
    pub(crate) fn add(&self, place: PathBuf) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if !places.contains(&place) {
            places.push_back(place);
        }
        while places.len() > PLACES {
            places.pop_front();
        }
    }

    /// Whether `path` is a result, or lies in the folder of one.
    pub(crate) fn allow(&self, path: &Path) -> bool {
        let plain = path
            .components()
            .all(|part| part != std::path::Component::ParentDir);
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        plain && path.is_absolute() && places.iter().any(|place| path.starts_with(place))
    }

    /// Forgets everything, when a profile is closed.
    pub(crate) fn forget(&self) {
        self.places
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Values of `field`, a string or a list of strings, anywhere in a reply.
fn collect(value: &Value, field: &str, found: &mut Vec<PathBuf>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| collect(value, field, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == field {
                    let one = value.as_str().into_iter();
                    let many = value
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str);
                    found.extend(one.chain(many).map(PathBuf::from));
                } else {
                    collect(value, field, found);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn root() -> PathBuf {
        PathBuf::from(if cfg!(windows) {
            "C:\\results"
        } else {
            "/results"
        })
    }

    #[test]
    fn only_results_and_what_lies_in_them_may_be_shown() {
        let results = Results::default();
        results.remember("jobs.list", &json!([{ "job": 1, "out": root() }]));
        results.remember("market.import", &json!({ "files": [{ "path": "/etc" }] }));
        assert!(results.allow(&root()));
        assert!(results.allow(&root().join("кот 1.jpg")));
        assert!(!results.allow(&root().join("..").join("secret")));
        assert!(!results.allow(Path::new("/etc")));
        assert!(!results.allow(Path::new("results")));
        results.forget();
        assert!(!results.allow(&root()));
    }

    #[test]
    fn lists_of_results_are_read_and_the_oldest_make_room() {
        let results = Results::default();
        results.remember(
            "market.indicators",
            &json!({ "out": [root().join("a"), root().join("b")] }),
        );
        assert!(results.allow(&root().join("b")));
        for number in 0..PLACES {
            results.remember(
                "room.save",
                &json!({ "path": root().join(format!("more{number}")) }),
            );
        }
        assert!(!results.allow(&root().join("a")));
    }
}
