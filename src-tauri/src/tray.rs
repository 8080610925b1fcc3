//! The tray: Artel stays reachable while it works without a window.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tauri::{
    AppHandle, Wry,
    menu::{Menu, MenuItem},
    tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent},
};

use crate::window;

/// The tray, where the system has one.
pub(crate) struct Tray(Option<Parts>);

struct Parts {
    open: MenuItem<Wry>,
    quit: MenuItem<Wry>,
    _icon: TrayIcon,
}

impl Tray {
    /// Puts the icon there. A system without a tray is no error.
    pub(crate) fn build(app: &AppHandle) -> Self {
        // The Linux library panics where the system's tray library is not installed.
        match catch_unwind(AssertUnwindSafe(|| parts(app))) {
            Ok(Ok(parts)) => Self(Some(parts)),
            Ok(Err(reason)) => {
                tracing::warn!(%reason, "no tray");
                Self(None)
            }
            Err(_) => {
                tracing::warn!("no tray: its library is not installed");
                Self(None)
            }
        }
    }

    /// Whether there is one.
    pub(crate) fn there(&self) -> bool {
        self.0.is_some()
    }

    /// Changes the words of its entries.
    pub(crate) fn name(&self, open: &str, quit: &str) {
        let Some(parts) = &self.0 else { return };
        for (item, text) in [(&parts.open, open), (&parts.quit, quit)] {
            if let Err(reason) = item.set_text(text) {
                tracing::debug!(%reason, "a tray entry keeps its words");
            }
        }
    }
}

fn parts(app: &AppHandle) -> tauri::Result<Parts> {
    let open = MenuItem::with_id(app, "open", "Artel", true, None::<&str>)?;
    let quit = MenuItem::with_id(app, "quit", "Quit", true, None::<&str>)?;
    let icon = TrayIconBuilder::with_id("artel")
        .icon(tauri::include_image!("../icons/tray.png"))
        .tooltip("Artel")
        .menu(&Menu::with_items(app, &[&open, &quit])?)
        .show_menu_on_left_click(false)
        .on_menu_event(|app, event| match event.id().as_ref() {
            "open" => window::show(app),
            "quit" => window::quit(app),
            _ => {}
        })
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click {
                button: MouseButton::Left,
                button_state: MouseButtonState::Up,
                ..
            } = event
            {
                window::show(tray.app_handle());
            }
        })
        .build(app)?;
    Ok(Parts {
        open,
        quit,
        _icon: icon,
    })
}
