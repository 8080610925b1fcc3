//! The real window: a screen without a monitor, a window manager, WebDriver.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wait;

/// What WebDriver calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long the page may take to show something.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the window manager is told: the window fills the screen and has no frame around it.
const MANAGER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <applications>
    <application type="normal"><decor>no</decor><maximized>yes</maximized></application>
  </applications>
</openbox_config>
"#;

/// Size of the screen, and so of the pictures taken of it.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// A running program that ends with its owner, and everything that it started with it.
struct Process(Child);

impl Process {
    fn spawn(command: &mut Command) -> std::io::Result<Self> {
        // A process group of its own: the drivers start others, which would outlive them.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        command.spawn().map(Self)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = format!("kill -KILL -{}", self.0.id());
        let _ = Command::new("sh")
            .args(["-c", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The window of `artel-desktop` on a screen of its own, driven through WebDriver.
pub struct Window {
    agent: ureq::Agent,
    session: String,
    display: String,
    screens: Option<PathBuf>,
    // Dropped in this order.
    _driver: Process,
    _manager: Process,
    _screen: Process,
    _scratch: TempDir,
}

/// What is missing on this machine to drive a window, if anything.
pub fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("the window is driven on Linux only".to_owned());
    }
    let mut wanted = vec!["Xvfb", "openbox", "WebKitWebDriver", "import"];
    let driver = driver();
    let driver = driver.to_string_lossy();
    wanted.push(&driver);
    let absent: Vec<&str> = wanted.into_iter().filter(|name| !found(name)).collect();
    (!absent.is_empty()).then(|| format!("not installed: {}", absent.join(", ")))
}

fn driver() -> PathBuf {
    std::env::var_os("TAURI_DRIVER").map_or_else(|| PathBuf::from("tauri-driver"), PathBuf::from)
}

fn found(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    })
}

impl Window {
    /// Opens the window on the profiles of `home`.
    pub fn open(home: &Path, size: Size) -> Result<Self> {
        let (screen, display) = screen(size)?;
        // What programs of a desktop leave in the user's folders goes with the window.
        let scratch = tempfile::tempdir()?;
        let settings = scratch.path().join("openbox.xml");
        fs::write(&settings, MANAGER)?;
        let quiet = |program: &Path| {
            let mut command = Command::new(program);
            command
                .env("DISPLAY", &display)
                .env_remove("WAYLAND_DISPLAY")
                .env("XDG_DATA_HOME", scratch.path().join("data"))
                .env("XDG_CACHE_HOME", scratch.path().join("cache"))
                .env("XDG_CONFIG_HOME", scratch.path().join("config"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let manager = Process::spawn(
            quiet(Path::new("openbox"))
                .arg("--config-file")
                .arg(&settings),
        )
        .context("openbox")?;
        let (port, native) = (free_port()?, free_port()?);
        let driver = Process::spawn(
            quiet(&driver())
                .args([
                    "--port",
                    &port.to_string(),
                    "--native-port",
                    &native.to_string(),
                ])
                .env("ARTEL_HOME", home)
                .env("GDK_BACKEND", "x11")
                .env("NO_AT_BRIDGE", "1")
                // No graphics driver here; a person with one does not need this.
                .env("ARTEL_SAFE_RENDERING", "1"),
        )
        .context("tauri-driver")?;
        // It answers before the driver of the web view behind it does.
        for (name, port) in [("tauri-driver", port), ("WebKitWebDriver", native)] {
            wait::until(name, PATIENCE, || {
                Ok(TcpStream::connect(("127.0.0.1", port)).ok())
            })?;
        }

        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE * 2))
            .build()
            .into();
        let mut window = Self {
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
            display,
            screens: std::env::var_os("ARTEL_SCREENS").map(PathBuf::from),
            _driver: driver,
            _manager: manager,
            _screen: screen,
            _scratch: scratch,
        };
        let options = json!({ "application": crate::desktop() });
        let session = window.post(
            "",
            &json!({ "capabilities": { "alwaysMatch": { "tauri:options": options } } }),
        )?;
        let id = session
            .get("sessionId")
            .and_then(Value::as_str)
            .with_context(|| format!("no session: {session}"))?;
        window.session = format!("{}/{id}", window.session);
        Ok(window)
    }

    /// Waits for an element that is shown.
    pub fn find(&self, css: &str) -> Result<Element<'_>> {
        self.find_within(css, PATIENCE)
    }

    /// Waits for an element with this `data-testid`.
    pub fn part(&self, name: &str) -> Result<Element<'_>> {
        self.find(&format!("[data-testid=\"{name}\"]"))
    }

    /// Waits so long for an element that is shown.
    pub fn find_within(&self, css: &str, patience: Duration) -> Result<Element<'_>> {
        self.until(&format!("{css} in the window"), patience, || {
            for element in self.all(css)? {
                if element.shown()? {
                    return Ok(Some(element));
                }
            }
            Ok(None)
        })
    }

    /// All elements that match now, shown or not.
    pub fn all(&self, css: &str) -> Result<Vec<Element<'_>>> {
        let found = self.post(
            "/elements",
            &json!({ "using": "css selector", "value": css }),
        )?;
        Ok(found
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|element| element.get(ELEMENT)?.as_str())
            .map(|id| Element {
                window: self,
                id: id.to_owned(),
            })
            .collect())
    }

    /// Waits until some element that matches shows this text.
    ///
    /// Asks the page and not WebDriver, whose own idea of what is shown fails in scrolled lists.
    pub fn shows(&self, css: &str, text: &str, patience: Duration) -> Result<()> {
        let body = "const [css, text] = arguments;
            return [...document.querySelectorAll(css)].some(
              (part) => part.getClientRects().length > 0 && part.innerText.includes(text))";
        self.until(&format!("\"{text}\" in {css}"), patience, || {
            let shown = self.post(
                "/execute/sync",
                &json!({ "script": body, "args": [css, text] }),
            )?;
            Ok((shown == true).then_some(()))
        })
    }

    /// Waits as [`wait::until`] does; what the screen showed when it was in vain is kept as `in-vain`.
    pub fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        ask: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let answer = wait::until(what, patience, ask);
        if answer.is_err() {
            self.picture("in-vain")?;
        }
        answer
    }

    /// Runs a function body in the page and returns what it returns.
    pub fn script(&self, body: &str) -> Result<Value> {
        self.post("/execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Loads the page again with another language and theme, as the settings would leave them.
    pub fn prefer(&self, language: &str, theme: &str) -> Result<()> {
        self.script(&format!(
            "localStorage.setItem('artel.language', '{language}');
             localStorage.setItem('artel.theme', '{theme}');
             location.reload();
             return null"
        ))?;
        self.until(
            &format!("the page in {language}, {theme}"),
            PATIENCE,
            || {
                let now = self.script(
                    "const page = document.documentElement; return [page.lang, page.dataset.theme]",
                )?;
                Ok((now == json!([language, theme])).then_some(()))
            },
        )
    }

    /// Names of the fields, buttons and headings that stick out of the window at a side, of the composer if it does below,
    /// and of parts that moved although they have no scroll bar.
    pub fn outside(&self) -> Result<Vec<String>> {
        let found = self.script(
            "const parts = [...document.querySelectorAll('button, input, textarea, select, h1, h2, h3')];
             if (document.documentElement.scrollWidth > innerWidth) parts.push(document.documentElement);
             const beside = (part) => {
               const box = part.getBoundingClientRect();
               return box.width > 1 && (box.left < -1 || box.right > innerWidth + 1);
             };
             const below = [...document.querySelectorAll('[data-testid=composer]')]
               .filter((part) => part.getBoundingClientRect().bottom > innerHeight - 44);
             const moved = [...document.querySelectorAll('*')].filter((part) =>
               part.scrollTop > 0 && ['hidden', 'clip', 'visible'].includes(getComputedStyle(part).overflowY));
             return [...parts.filter(beside), ...below, ...moved]
               .map((part) => part.dataset.testid ?? part.innerText ?? part.tagName)",
        )?;
        Ok(serde_json::from_value(found)?)
    }

    /// Takes a picture of the screen, when `ARTEL_SCREENS` names a folder for them.
    ///
    /// WebDriver's own picture of the page hangs with this web view, so it is the screen's.
    pub fn picture(&self, name: &str) -> Result<()> {
        let Some(folder) = &self.screens else {
            return Ok(());
        };
        fs::create_dir_all(folder)?;
        // What was just asked for may still be on its way to the screen.
        std::thread::sleep(Duration::from_millis(600));
        let path = folder.join(name).with_extension("png");
        let status = Command::new("import")
            // A palette keeps text sharp and the file small.
            .args(["-window", "root", "-strip", "+dither", "-colors", "255"])
            .args(["-define", "png:compression-level=9"])
            .arg(format!("png8:{}", path.display()))
            .env("DISPLAY", &self.display)
            .status()
            .context("import (Debian: imagemagick)")?;
        ensure!(status.success(), "import ended with {status}");
        Ok(())
    }

    /// Closes the window as its session's owner.
    pub fn close(self) -> Result<()> {
        let answer = self.agent.delete(&self.session).call()?;
        ensure!(
            answer.status().is_success(),
            "the session does not end: {}",
            answer.status()
        );
        Ok(())
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut answer = self
            .agent
            .post(format!("{}{path}", self.session))
            .send_json(body)?;
        value(answer.status().as_u16(), answer.body_mut().read_json()?)
    }

    fn get(&self, path: &str) -> Result<Value> {
        let mut answer = self.agent.get(format!("{}{path}", self.session)).call()?;
        value(answer.status().as_u16(), answer.body_mut().read_json()?)
    }
}

/// An element of the page.
pub struct Element<'a> {
    window: &'a Window,
    id: String,
}

impl Element<'_> {
    /// Clicks it.
    pub fn click(&self) -> Result<()> {
        self.post("click", &json!({}))
    }

    /// Types into it.
    pub fn write(&self, text: &str) -> Result<()> {
        self.post("value", &json!({ "text": text }))
    }

    /// Empties a field.
    pub fn clear(&self) -> Result<()> {
        self.post("clear", &json!({}))
    }

    /// Whether a person can see it.
    pub fn shown(&self) -> Result<bool> {
        let shown = self
            .window
            .get(&format!("/element/{}/displayed", self.id))?;
        Ok(shown == true)
    }

    fn post(&self, verb: &str, body: &Value) -> Result<()> {
        self.window
            .post(&format!("/element/{}/{verb}", self.id), body)?;
        Ok(())
    }
}

/// The value of a WebDriver answer.
fn value(status: u16, mut answer: Value) -> Result<Value> {
    let value = answer.get_mut("value").map(Value::take).unwrap_or_default();
    if !(200..300).contains(&status) {
        bail!("WebDriver: {value}");
    }
    Ok(value)
}

/// Starts a screen without a monitor; it chooses its own number.
fn screen(size: Size) -> Result<(Process, String)> {
    let mut screen = Process::spawn(
        Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0"])
            .arg(format!("{}x{}x24", size.width, size.height))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()),
    )
    .context("Xvfb")?;
    let stdout = screen.0.stdout.take().context("no standard output")?;
    let mut number = String::new();
    BufReader::new(stdout).read_line(&mut number)?;
    ensure!(!number.trim().is_empty(), "Xvfb gave no display");
    Ok((screen, format!(":{}", number.trim())))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
