//! Pictures in, pictures out: formats, faults, orientation, and CPU against GPU.

use std::sync::Arc;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::{tone::Curve, *};
use crate::gpu::Gpu;

/// The device, or a line that says why the test is skipped.
fn device(test: &str) -> Option<Arc<Gpu>> {
    match Gpu::shared() {
        Ok(gpu) => Some(gpu),
        Err(reason) => {
            println!("SKIPPED {test}: {reason}");
            None
        }
    }
}

/// A picture with edges, slopes and noise, always the same.
fn sample(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = x
            .wrapping_mul(2_654_435_761)
            .wrapping_add(y.wrapping_mul(40_503))
            >> 24;
        let edge = if (x / 7 + y / 5) % 2 == 0 { 255 } else { 0 };
        image::Rgb([
            u8::try_from(noise).unwrap(),
            edge,
            u8::try_from((x + y) % 256).unwrap(),
        ])
    })
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn picture(width: u32, height: u32) -> Picture {
    Picture::new(width, height, sample(width, height).into_raw()).unwrap()
}

#[test]
fn every_format_is_read_by_its_content() {
    let rgb = DynamicImage::ImageRgb8(sample(31, 17));
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Tiff,
        ImageFormat::Gif,
        ImageFormat::Bmp,
    ] {
        let bytes = encoded(&rgb, format);
        let read = decode(&bytes, &Limits::default()).unwrap();
        assert_eq!((read.width, read.height), (31, 17), "{format:?}");
        if !matches!(format, ImageFormat::Jpeg | ImageFormat::Gif) {
            assert_eq!(read.rgb, rgb.as_bytes(), "{format:?}");
        }
        let facts = probe(&bytes).unwrap();
        assert_eq!((facts.width, facts.height), (31, 17), "{format:?}");
        assert!(facts.memory() >= 31 * 17 * 6);
    }
}

#[test]
fn sixteen_bit_grey_keeps_its_shades_and_transparency_lies_on_white() {
    let grey = ImageBuffer::from_fn(256, 1, |x, _| Luma([u16::try_from(x * 257).unwrap()]));
    let bytes = encoded(&DynamicImage::ImageLuma16(grey), ImageFormat::Tiff);
    let read = decode(&bytes, &Limits::default()).unwrap();
    let shades: Vec<u8> = read.rgb.chunks(3).map(|pixel| pixel[0]).collect();
    assert_eq!(shades, (0..=255).collect::<Vec<u8>>());

    let clear = RgbaImage::from_fn(2, 1, |x, _| Rgba([200, 0, 0, if x == 0 { 0 } else { 255 }]));
    let bytes = encoded(&DynamicImage::ImageRgba8(clear), ImageFormat::Png);
    let read = decode(&bytes, &Limits::default()).unwrap();
    assert_eq!(read.rgb, [255, 255, 255, 200, 0, 0]);
}

#[test]
fn a_cut_file_ends_too_early_in_every_format() {
    let rgb = DynamicImage::ImageRgb8(sample(64, 64));
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Tiff,
        ImageFormat::Gif,
        ImageFormat::Bmp,
    ] {
        let mut bytes = encoded(&rgb, format);
        bytes.truncate(bytes.len() * 2 / 3);
        let error = decode(&bytes, &Limits::default()).unwrap_err().of("a");
        assert!(
            error.starts_with("a is a ")
                && (error.contains("ends too early") || error.contains("damaged")),
            "{format:?}: {error}"
        );
        if matches!(
            format,
            ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Bmp
        ) {
            assert!(error.contains("ends too early"), "{format:?}: {error}");
        }
    }
}

#[test]
fn limits_are_held_before_pixels_are_decoded() {
    // A header that promises 60,000 × 60,000 pixels, and nothing behind it.
    let mut bytes = encoded(&DynamicImage::ImageRgb8(sample(4, 4)), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    bytes[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    let error = decode(&bytes, &Limits::default()).unwrap_err();
    assert!(
        matches!(error, PictureError::TooLarge { width: 60_000, .. }),
        "{error:?}"
    );
    let small = Limits {
        file: 10,
        ..Limits::default()
    };
    assert!(matches!(
        decode(&bytes, &small),
        Err(PictureError::FileTooLarge { .. })
    ));
}

/// A JPEG whose EXIF says how to turn it.
fn turned(image: &RgbImage, orientation: u8) -> Vec<u8> {
    let jpeg = encoded(&DynamicImage::ImageRgb8(image.clone()), ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1, length[0], length[1]]);
    bytes.extend(exif);
    bytes.extend(&jpeg[2..]);
    bytes
}

#[test]
fn the_orientation_is_applied_once() {
    // The left half is black, the right one white.
    let image = RgbImage::from_fn(64, 32, |x, _| image::Rgb([if x < 32 { 0 } else { 255 }; 3]));
    let recipe = recipe("web").unwrap();
    for (orientation, size, dark) in [
        (1, (64, 32), (8, 16)),
        (3, (64, 32), (56, 16)),
        (6, (32, 64), (16, 8)),
        (8, (32, 64), (16, 56)),
    ] {
        let developed = develop(
            &turned(&image, orientation),
            recipe,
            &Limits::default(),
            None,
        )
        .unwrap();
        assert_eq!(
            (developed.width, developed.height),
            size,
            "orientation {orientation}"
        );
        let again = image::load_from_memory(&developed.jpeg)
            .unwrap()
            .into_rgb8();
        assert!(
            again.get_pixel(dark.0, dark.1).0[0] < 40,
            "orientation {orientation}"
        );
        // The tag is gone: turning it once more changes nothing.
        let read = decode(&developed.jpeg, &Limits::default()).unwrap();
        assert_eq!(read.clone().upright(), read);
    }
}

#[test]
fn the_web_recipe_fits_and_is_deterministic() {
    let bytes = encoded(
        &DynamicImage::ImageRgb8(sample(3000, 1500)),
        ImageFormat::Png,
    );
    let recipe = recipe("web").unwrap();
    let first = develop(&bytes, recipe, &Limits::default(), None).unwrap();
    assert_eq!((first.width, first.height), (2048, 1024));
    assert_eq!(
        first,
        develop(&bytes, recipe, &Limits::default(), None).unwrap()
    );
}

#[test]
fn a_preview_fits_its_bytes_and_a_thumbnail_its_side() {
    let bytes = encoded(&DynamicImage::ImageRgb8(sample(900, 600)), ImageFormat::Png);
    for most in [32 << 10, 6 << 10, 2 << 10] {
        let jpeg = preview(&bytes, 480, most, &Limits::default()).unwrap();
        assert!(jpeg.len() <= most);
        probe(&jpeg).unwrap();
    }
    let facts = probe(&thumbnail(&bytes, 320, &Limits::default()).unwrap()).unwrap();
    assert_eq!((facts.width, facts.height), (320, 213));
}

#[test]
fn kernels_are_valid_without_a_gpu() {
    use wgpu::naga;
    for kernel in [tone::KERNEL, resize::COLUMNS, resize::ROWS] {
        let module = naga::front::wgsl::parse_str(kernel.wgsl).unwrap_or_else(|error| {
            panic!("{}: {}", kernel.name, error.emit_to_string(kernel.wgsl))
        });
        naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::empty(),
        )
        .validate(&module)
        .unwrap_or_else(|error| panic!("{}: {error:?}", kernel.name));
        assert!(
            module
                .entry_points
                .iter()
                .any(|entry| entry.name == kernel.entry),
            "{}",
            kernel.name
        );
    }
}

#[test]
fn a_wide_picture_is_resized_in_bands_with_the_same_result() {
    let Some(gpu) = device("a_wide_picture_is_resized_in_bands_with_the_same_result") else {
        return;
    };
    // 24,000 pixels a row make 96 kB of the pass between, so 64 MiB hold fewer rows than there are.
    let wide = picture(24_000, 800);
    let on_cpu = resize::cpu(&wide, 6_000, 700);
    let on_gpu = resize::gpu(&gpu, &wide, 6_000, 700, None).unwrap();
    assert!(on_cpu == on_gpu);
}

/// A colour profile of a few kilobytes that unpacks to more than a picture needs is left out.
#[test]
fn a_profile_that_swells_is_not_unpacked() {
    use std::io::Write as _;
    let with_profile = |zeros: usize| {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&[0; 16]).unwrap();
        packed.write_all(b"RGB ").unwrap();
        for _ in 0..zeros {
            packed.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let packed = packed.finish().unwrap();
        assert!(packed.len() < 1 << 18);
        let chunk = [b"iCCPx\0\0".as_slice(), &packed].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&chunk);
        let size = u32::try_from(chunk.len() - 4).unwrap();
        let png = encoded(&DynamicImage::ImageRgb8(sample(24, 16)), ImageFormat::Png);
        // After the signature and the header.
        let (head, rest) = png.split_at(33);
        let sizes = (size.to_be_bytes(), crc.sum().to_be_bytes());
        let png = [head, &sizes.0, &chunk, &sizes.1, rest].concat();
        decode(&png, &Limits::default()).unwrap().profile.is_some()
    };
    assert!(with_profile(1));
    assert!(!with_profile(128));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Tolerance of resize and tone between CPU and GPU: zero.
    ///
    /// Invariant 5: the path never changes the answer.
    #[test]
    fn cpu_and_gpu_give_the_same_bytes(
        from in (1_u32..260, 1_u32..260),
        to in (1_u32..200, 1_u32..200),
        middle in 1_u8..255,
    ) {
        let Some(gpu) = device("cpu_and_gpu_give_the_same_bytes") else {
            return Ok(());
        };
        let curve = Curve::through(&[[0, 0], [100, middle], [255, 255]]).unwrap();
        let source = picture(from.0, from.1);
        let mut on_cpu = resize::cpu(&source, to.0, to.1);
        prop_assert!(on_cpu == resize::gpu(&gpu, &source, to.0, to.1, None).unwrap());
        curve.apply(&mut on_cpu.rgb);
        prop_assert!(on_cpu == resize::gpu(&gpu, &source, to.0, to.1, Some(&curve)).unwrap());
        let mut toned = source.rgb.clone();
        curve.apply(&mut toned);
        prop_assert!(toned == curve.apply_on(&gpu, &source.rgb).unwrap());
    }

    #[test]
    fn a_curve_goes_through_its_points_and_never_overshoots(
        mut inputs in proptest::collection::btree_set(1_u8..255, 0..6),
        outputs in proptest::collection::vec(any::<u8>(), 8),
    ) {
        inputs.extend([0, 255]);
        let points: Vec<[u8; 2]> = inputs.into_iter().zip(outputs).map(|(x, y)| [x, y]).collect();
        let curve = Curve::through(&points).unwrap();
        for pair in points.windows(2) {
            let (low, high) = (pair[0][1].min(pair[1][1]), pair[0][1].max(pair[1][1]));
            prop_assert_eq!(curve.values()[usize::from(pair[0][0])], pair[0][1]);
            for x in pair[0][0]..=pair[1][0] {
                prop_assert!((low..=high).contains(&curve.values()[usize::from(x)]));
            }
        }
    }

    #[test]
    fn fitting_keeps_the_shape_and_never_enlarges(
        width in 1_u32..70_000, height in 1_u32..70_000, side in 1_u32..5_000,
    ) {
        let (w, h) = resize::fit(width, height, side);
        prop_assert!(w >= 1 && h >= 1 && w <= width && h <= height);
        prop_assert!(w.max(h) == side.min(width.max(height)));
    }

    /// Bytes from anywhere give a picture or an error, never a panic.
    #[test]
    fn damaged_files_never_panic(
        format in 0_usize..6, at in any::<prop::sample::Index>(), changes in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let formats = [
            ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP,
            ImageFormat::Tiff, ImageFormat::Gif, ImageFormat::Bmp,
        ];
        let mut bytes = encoded(&DynamicImage::ImageRgb8(sample(24, 16)), formats[format]);
        let start = at.index(bytes.len());
        for (byte, change) in bytes[start..].iter_mut().zip(changes) {
            *byte = change;
        }
        let small = Limits { pixels: 1_000_000, ..Limits::default() };
        let _ = decode(&bytes, &small).map_err(|error| error.of("a"));
        let _ = probe(&bytes);
    }
}
