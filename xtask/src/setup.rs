//! Installs what is missing: system packages, the page's packages, the page itself.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};

/// What the machine is prepared for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Building and running without a window.
    Headless,
    /// Building and running.
    Build,
    /// Building, running and every test.
    Test,
}

/// Debian packages that every build needs, and a Vulkan driver that works on any machine.
const HEADLESS: &[&str] = &[
    "build-essential",
    "pkg-config",
    "libvulkan1",
    "mesa-vulkan-drivers",
];

/// Debian packages that the window needs.
const WINDOW: &[&str] = &[
    "libwebkit2gtk-4.1-dev",
    "libsoup-3.0-dev",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
];

/// Debian packages that tests with real parts need: a screen, a driven web view, namespaces.
const TEST: &[&str] = &[
    "xvfb",
    "openbox",
    "webkit2gtk-driver",
    "imagemagick",
    "x11-utils",
    "fonts-dejavu-core",
    "iproute2",
    "nftables",
];

/// Oldest Node that Vite and ESLint accept.
const NODE: (u32, u32) = (20, 19);

/// Installs missing system packages where it can, and names them where it cannot.
pub(crate) fn packages(purpose: Purpose) -> Result<()> {
    if cfg!(target_os = "linux") && shell::answers("dpkg-query", &["--version"]) {
        let mut wanted = HEADLESS.to_vec();
        if purpose != Purpose::Headless {
            wanted.extend(WINDOW);
        }
        if purpose == Purpose::Test {
            wanted.extend(TEST);
        }
        let missing = missing(&wanted);
        if !missing.is_empty()
            && let Err(error) = install(&missing)
        {
            if missing.iter().any(|name| !TEST.contains(name)) {
                return Err(error);
            }
            eprintln!("note: {error:#}; tests that need these are skipped and listed");
        }
    } else if cfg!(target_os = "linux") && purpose != Purpose::Headless {
        if !shell::answers("pkg-config", &["--exists", "webkit2gtk-4.1"]) {
            bail!(
                "webkit2gtk-4.1 is missing. Install its development package and a C compiler:\n  \
                 Fedora: sudo dnf install gcc pkgconf-pkg-config webkit2gtk4.1-devel libayatana-appindicator-gtk3-devel librsvg2-devel vulkan-loader\n  \
                 Arch:   sudo pacman -S base-devel webkit2gtk-4.1 libayatana-appindicator librsvg vulkan-icd-loader\n  \
                 openSUSE: sudo zypper install -t pattern devel_basis && sudo zypper install webkit2gtk3-devel libayatana-appindicator3-devel librsvg-devel"
            );
        }
    } else if cfg!(target_os = "macos") && !shell::answers("xcode-select", &["-p"]) {
        bail!("the compiler of macOS is missing: run xcode-select --install");
    } else if cfg!(windows) && !shell::answers("perl", &["--version"]) {
        bail!(
            "Perl is missing, which the encrypted database needs to build: winget install StrawberryPerl.StrawberryPerl. \
             Also needed: Visual Studio Build Tools with C++, and WebView2 (part of Windows 11)"
        );
    }
    if purpose == Purpose::Headless {
        return Ok(());
    }
    node()
}

/// Packages of `wanted` that dpkg does not know as installed.
fn missing<'a>(wanted: &[&'a str]) -> Vec<&'a str> {
    wanted
        .iter()
        .copied()
        .filter(|name| {
            let state = Command::new("dpkg-query")
                .args(["-W", "-f=${db:Status-Status}", name])
                .stderr(Stdio::null())
                .output();
            !state.is_ok_and(|output| output.stdout == b"installed")
        })
        .collect()
}

fn install(packages: &[&str]) -> Result<()> {
    println!("installing system packages: {}", packages.join(" "));
    let root = shell::output(Command::new("id").arg("-u"))?.trim() == "0";
    let by_hand = || {
        format!(
            "install them by hand: sudo apt-get install {}",
            packages.join(" ")
        )
    };
    if !root && !shell::answers("sudo", &["--version"]) {
        bail!("this needs root, and there is no sudo; {}", by_hand());
    }
    let apt = |args: &[&str]| {
        let mut command = if root {
            Command::new("apt-get")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.arg("apt-get");
            sudo
        };
        command.env("DEBIAN_FRONTEND", "noninteractive").args(args);
        command
    };
    let mut all = vec!["install", "-y", "--no-install-recommends"];
    all.extend(packages);
    // Package lists are often old or absent; fetch them only when needed.
    if shell::run(&mut apt(&all)).is_err() {
        shell::run(&mut apt(&["update"])).with_context(by_hand)?;
        shell::run(&mut apt(&all)).with_context(by_hand)?;
    }
    Ok(())
}

fn node() -> Result<()> {
    let version = Command::new("node")
        .arg("--version")
        .output()
        .ok()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let wanted = format!(
        "Node {}.{} or newer with npm is needed to build the page",
        NODE.0, NODE.1
    );
    match version {
        Some(version) if parse_node(&version).is_some_and(|found| found >= NODE) => {}
        Some(version) => bail!("{wanted}, and this is {version}; see https://nodejs.org"),
        None => bail!("{wanted}; see https://nodejs.org"),
    }
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    if !shell::answers(npm, &["--version"]) {
        bail!("{wanted}, and npm is not there");
    }
    Ok(())
}

fn parse_node(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Installs the page's packages when they are not those of the lock file.
pub(crate) fn page_packages(workspace: &Workspace) -> Result<()> {
    let ui = workspace.ui();
    let lock = fs::read(ui.join("package-lock.json")).context("ui/package-lock.json")?;
    let mark = ui.join("node_modules").join(".artel-lock");
    if fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("installing the page's packages: npm ci");
    shell::run(shell::npm(workspace).args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&mark, lock).with_context(|| mark.display().to_string())
}

/// Builds the page, unless it is newer than everything it is made of.
pub(crate) fn page(workspace: &Workspace) -> Result<()> {
    page_packages(workspace)?;
    let ui = workspace.ui();
    let built = modified(&ui.join("dist").join("index.html"));
    let mut newest = None;
    for source in [
        "src",
        "public",
        "index.html",
        "vite.config.ts",
        "svelte.config.js",
        "tsconfig.json",
        "package-lock.json",
    ] {
        newest = newest.max(newest_in(&ui.join(source)));
    }
    if built.is_some() && built > newest {
        return Ok(());
    }
    println!("building the page: npm run build");
    shell::run(shell::npm(workspace).args(["run", "build"]))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn newest_in(path: &Path) -> Option<SystemTime> {
    let mut newest = modified(path);
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        newest = newest.max(newest_in(&entry.path()));
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::parse_node;

    #[test]
    fn node_versions_are_compared_as_numbers() {
        assert_eq!(parse_node("v20.19.4"), Some((20, 19)));
        assert!(parse_node("v9.11.2") < parse_node("v20.19.0"));
        assert_eq!(parse_node("nonsense"), None);
    }
}
