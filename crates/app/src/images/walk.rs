//! Which pictures a batch has, in a fixed order, and what their results are called.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    vec,
};

use artel_compute::imaging::is_picture_name;

/// Deepest folder that is walked: deeper than any real one, so a loop ends.
const DEPTH: usize = 128;

/// A picture and where its result is meant to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The picture.
    pub path: PathBuf,
    /// The result, below the folder of results.
    pub target: PathBuf,
    /// Size of the picture in bytes.
    pub bytes: u64,
}

/// What a walk comes across.
pub(super) enum Seen {
    /// A picture, by its name.
    Picture(Found),
    /// A file that is none, by its name.
    Other,
    /// A folder that cannot be read, or lies too deep.
    Unreadable(PathBuf),
}

/// Walks folders and files in the order of their paths. Hidden files and folders are left alone, and
/// links to folders are not followed. Only the folders on the way are held in memory.
pub(super) struct Walk {
    open: Vec<vec::IntoIter<Entry>>,
}

struct Entry {
    path: PathBuf,
    /// Folder: where its results go. Picture: its result. Other files: nothing.
    target: Option<PathBuf>,
    folder: bool,
    bytes: u64,
}

impl Walk {
    /// Walks these roots, which are sorted and do not lie in one another (see [`roots`]). A single
    /// folder is mirrored as it is; several keep their names.
    pub(super) fn new(roots: &[PathBuf]) -> Self {
        let single = roots.len() == 1;
        let mut taken = HashSet::new();
        let entries = roots
            .iter()
            .map(|path| {
                let facts = fs::metadata(path).ok();
                let folder = facts.as_ref().is_some_and(fs::Metadata::is_dir);
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let target = if folder && single {
                    PathBuf::new()
                } else if folder {
                    PathBuf::from(distinct(&mut taken, &name, |n| format!("{name} ({n})")))
                } else {
                    PathBuf::from(result_name(&mut taken, &name))
                };
                Entry {
                    path: path.clone(),
                    target: Some(target),
                    folder,
                    bytes: facts.map_or(0, |facts| facts.len()),
                }
            })
            .collect::<Vec<_>>();
        Self {
            open: vec![entries.into_iter()],
        }
    }

    fn enter(&mut self, folder: &Path, target: &Path) -> io::Result<()> {
        let mut names = Vec::new();
        let mut others = 0;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            // A link to a file counts as the file, a link to a folder is left alone.
            let kind = entry.file_type()?;
            let facts = if kind.is_symlink() {
                fs::metadata(entry.path())
            } else {
                entry.metadata()
            };
            match facts {
                Ok(facts) if facts.is_dir() && !kind.is_symlink() => names.push((name, true, 0)),
                Ok(facts) if facts.is_dir() => {}
                Ok(facts) if facts.is_file() => names.push((name, false, facts.len())),
                // Pipes and devices are no pictures, whatever their names: reading one may never end.
                Ok(_) => others += 1,
                // A link that leads nowhere fails by itself, and is listed.
                Err(_) => names.push((name, false, 0)),
            }
        }
        names.sort();
        // Folders keep their names, so no picture's result may take one of them.
        let mut taken: HashSet<String> = names
            .iter()
            .filter(|(_, folder, _)| *folder)
            .map(|(name, ..)| name.to_string_lossy().to_lowercase())
            .collect();
        let other = || Entry {
            path: folder.to_owned(),
            target: None,
            folder: false,
            bytes: 0,
        };
        let entries: Vec<Entry> = names
            .into_iter()
            .map(|(name, is_folder, bytes)| {
                let path = folder.join(&name);
                let name = name.to_string_lossy();
                let target = if is_folder {
                    Some(target.join(&*name))
                } else if is_picture_name(&path) {
                    Some(target.join(result_name(&mut taken, &name)))
                } else {
                    None
                };
                Entry {
                    path,
                    target,
                    folder: is_folder,
                    bytes,
                }
            })
            .chain(std::iter::repeat_with(other).take(others))
            .collect();
        self.open.push(entries.into_iter());
        Ok(())
    }
}

impl Iterator for Walk {
    type Item = Seen;

    fn next(&mut self) -> Option<Seen> {
        loop {
            let Some(entry) = self.open.last_mut()?.next() else {
                self.open.pop();
                continue;
            };
            match entry.target {
                None => return Some(Seen::Other),
                Some(target) if !entry.folder => {
                    return Some(Seen::Picture(Found {
                        path: entry.path,
                        target,
                        bytes: entry.bytes,
                    }));
                }
                Some(target) => {
                    if self.open.len() > DEPTH {
                        return Some(Seen::Unreadable(entry.path));
                    }
                    if self.enter(&entry.path, &target).is_err() {
                        return Some(Seen::Unreadable(entry.path));
                    }
                }
            }
        }
    }
}

/// Sorts roots and leaves out those that lie in others.
pub(super) fn roots(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    let mut kept: Vec<PathBuf> = Vec::with_capacity(paths.len());
    for path in paths {
        if !kept.last().is_some_and(|last| path.starts_with(last)) {
            kept.push(path);
        }
    }
    kept
}

/// Name of a picture's result among those of its folder: `a.png` gives `a.jpg`; if another picture
/// has that already, `a.png.jpg`. Names that differ in case only count as equal, as they are on many
/// disks.
fn result_name(taken: &mut HashSet<String>, name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let plain = format!("{stem}.jpg");
    distinct(taken, &plain, |n| {
        if n == 2 {
            format!("{name}.jpg")
        } else {
            format!("{name} ({}).jpg", n - 1)
        }
    })
}

/// The first of `first` and `other(2)`, `other(3)`, … that is not taken, and takes it.
fn distinct(taken: &mut HashSet<String>, first: &str, other: impl Fn(u32) -> String) -> String {
    let mut name = first.to_owned();
    let mut number = 1;
    while !taken.insert(name.to_lowercase()) {
        number += 1;
        name = other(number);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(names: &[&str]) -> Vec<String> {
        let mut taken = HashSet::new();
        names
            .iter()
            .map(|name| result_name(&mut taken, name))
            .collect()
    }

    #[test]
    fn pictures_of_one_name_get_distinct_results() {
        assert_eq!(
            named(&["a.jpg", "a.png", "b.tif"]),
            ["a.jpg", "a.png.jpg", "b.jpg"]
        );
        assert_eq!(named(&["A.JPG", "a.jpg"]), ["A.jpg", "a.jpg.jpg"]);
        assert_eq!(
            named(&["a.gif", "a.png", "a.png.bmp"]),
            ["a.jpg", "a.png.jpg", "a.png.bmp.jpg"]
        );
        assert_eq!(named(&["Моё фото 1.png"]), ["Моё фото 1.jpg"]);
    }

    proptest! {
        #[test]
        fn results_never_share_a_name(mut names in proptest::collection::vec("[ab.]{1,4}\\.(jpg|png|JPG)", 1..20)) {
            names.sort();
            names.dedup();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let results = named(&names);
            let distinct: HashSet<String> = results.iter().map(|name| name.to_lowercase()).collect();
            prop_assert_eq!(distinct.len(), results.len());
        }
    }

    #[test]
    fn a_walk_is_in_the_order_of_paths_and_leaves_hidden_things_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "b/2.png",
            "b/1.JPG",
            "b.png",
            "а/фото 1.jpg",
            ".скрытое/x.png",
            ".x.png",
            "notes.txt",
            "b/c/3.gif",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        // Listed, since it fails by itself; a pipe is counted with what is no picture.
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/nowhere", folder.path().join("b/c/4.png")).unwrap();
            let pipe = std::process::Command::new("mkfifo")
                .arg(folder.path().join("pipe.jpg"))
                .status();
            assert!(pipe.unwrap().success());
        }
        let mut others = 0;
        let found: Vec<Found> = Walk::new(&[folder.path().to_owned()])
            .filter_map(|seen| match seen {
                Seen::Picture(found) => Some(found),
                Seen::Other => {
                    others += 1;
                    None
                }
                Seen::Unreadable(path) => panic!("{}", path.display()),
            })
            .collect();
        assert_eq!(others, if cfg!(unix) { 2 } else { 1 });
        assert!(
            found.windows(2).all(|pair| pair[0].path < pair[1].path),
            "{found:?}"
        );
        let mut targets: Vec<_> = found
            .iter()
            .map(|found| found.target.to_str().unwrap())
            .collect();
        targets.sort_unstable();
        let mut expected = vec!["b.jpg", "b/1.jpg", "b/2.jpg", "b/c/3.jpg", "а/фото 1.jpg"];
        if cfg!(unix) {
            expected.insert(4, "b/c/4.jpg");
        }
        assert_eq!(targets, expected);
    }

    #[test]
    fn roots_inside_others_are_left_out_and_several_keep_their_names() {
        let kept = roots(
            ["/p/a", "/p/a/b", "/p/ab", "/p/a"]
                .map(PathBuf::from)
                .into(),
        );
        assert_eq!(kept, ["/p/a", "/p/ab"].map(PathBuf::from));
    }
}
