//! Renders the mark to the sizes the desktop needs. Needs `rsvg-convert` (Debian: librsvg2-bin).

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell::Workspace;

/// Sizes in the Windows icon, in pixels.
const ICO: &[u32] = &[16, 24, 32, 48, 64, 256];

/// Types and sizes in the macOS icon.
const ICNS: &[(&[u8; 4], u32)] = &[
    (b"icp4", 16),
    (b"icp5", 32),
    (b"ic11", 32),
    (b"ic12", 64),
    (b"ic07", 128),
    (b"ic13", 256),
    (b"ic08", 256),
    (b"ic14", 512),
    (b"ic09", 512),
    (b"ic10", 1024),
];

/// Writes every rendered icon beside its SVG.
pub(crate) fn render(workspace: &Workspace) -> Result<()> {
    let icons = workspace.root.join("icons");
    let mark = icons.join("artel.svg");
    let tray = icons.join("tray.svg");
    for (name, source, size) in [
        ("32x32.png", &mark, 32),
        ("128x128.png", &mark, 128),
        ("128x128@2x.png", &mark, 256),
        ("icon.png", &mark, 512),
        ("tray.png", &tray, 64),
    ] {
        write(&icons.join(name), &png(source, size)?)?;
    }

    let mut ico = Vec::new();
    for size in ICO {
        ico.push((*size, png(&mark, *size)?));
    }
    write(&icons.join("icon.ico"), &pack_ico(&ico)?)?;

    let mut icns = Vec::new();
    for (kind, size) in ICNS {
        icns.push((*kind, png(&mark, *size)?));
    }
    write(&icons.join("icon.icns"), &pack_icns(&icns)?)?;
    println!("icons/: rendered");
    Ok(())
}

fn png(svg: &Path, size: u32) -> Result<Vec<u8>> {
    let size = size.to_string();
    let output = Command::new("rsvg-convert")
        .args(["--width", &size, "--height", &size])
        .arg(svg)
        .output()
        .context("rsvg-convert cannot be started; on Debian it is in librsvg2-bin")?;
    if !output.status.success() {
        bail!("rsvg-convert: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).with_context(|| path.display().to_string())
}

/// The Windows container: a table of entries, then whole PNG files.
fn pack_ico(pictures: &[(u32, Vec<u8>)]) -> Result<Vec<u8>> {
    let count = u16::try_from(pictures.len())?;
    let mut file = vec![0, 0, 1, 0];
    file.extend(count.to_le_bytes());
    let mut offset = 6 + 16 * u32::from(count);
    for (size, content) in pictures {
        // One byte a side; 0 stands for 256.
        let side = u8::try_from(*size).unwrap_or(0);
        let length = u32::try_from(content.len())?;
        file.extend([side, side, 0, 0, 1, 0, 32, 0]);
        file.extend(length.to_le_bytes());
        file.extend(offset.to_le_bytes());
        offset += length;
    }
    for (_, content) in pictures {
        file.extend(content);
    }
    Ok(file)
}

/// The macOS container: type, length with header, PNG file, again and again.
fn pack_icns(pictures: &[(&[u8; 4], Vec<u8>)]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    for (kind, content) in pictures {
        body.extend(*kind);
        body.extend(u32::try_from(content.len() + 8)?.to_be_bytes());
        body.extend(content);
    }
    let mut file = b"icns".to_vec();
    file.extend(u32::try_from(body.len() + 8)?.to_be_bytes());
    file.extend(body);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::{pack_icns, pack_ico};

    #[test]
    fn the_windows_container_points_at_its_pictures() {
        let file = pack_ico(&[(16, b"aa".to_vec()), (256, b"bbb".to_vec())]).unwrap();
        assert_eq!(&file[..6], [0, 0, 1, 0, 2, 0]);
        assert_eq!((file[6], file[22]), (16, 0));
        for (entry, content) in [(6, &b"aa"[..]), (22, b"bbb")] {
            let at = |place: usize| {
                u32::from_le_bytes(file[place..place + 4].try_into().unwrap()) as usize
            };
            let (length, offset) = (at(entry + 8), at(entry + 12));
            assert_eq!(&file[offset..offset + length], content);
        }
    }

    #[test]
    fn the_macos_container_knows_its_length() {
        let file = pack_icns(&[(b"ic07", b"png".to_vec())]).unwrap();
        assert_eq!(file, b"icns\0\0\0\x13ic07\0\0\0\x0bpng");
    }
}
