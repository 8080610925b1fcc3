//! Contact sheets: many results in one picture.

use super::{Limits, Picture, PictureError, decode, resize, to_jpeg};

/// Most pictures of a sheet.
const MOST: usize = 48;
/// Pictures in a row.
const COLUMNS: usize = 6;
/// Side of a picture's cell in pixels.
const CELL: usize = 240;
/// Space around a picture in pixels.
const GAP: usize = 12;
/// The grey behind the pictures.
const BACKGROUND: u8 = 245;

/// A contact sheet in the making. It holds one canvas, whatever the number of pictures.
#[derive(Debug)]
pub struct Sheet {
    columns: usize,
    rows: usize,
    rgb: Vec<u8>,
    added: usize,
}

impl Sheet {
    /// Which of `total` results to show: all where they fit, else spread evenly from the first to
    /// the last.
    pub fn choose(total: u64) -> Vec<u64> {
        let most = MOST as u64;
        if total <= most {
            return (0..total).collect();
        }
        (0..most)
            .map(|index| index * (total - 1) / (most - 1))
            .collect()
    }

    /// An empty sheet for so many pictures, at least one.
    pub fn new(pictures: usize) -> Self {
        let pictures = pictures.clamp(1, MOST);
        let columns = pictures.min(COLUMNS);
        let rows = pictures.div_ceil(columns);
        let mut sheet = Self {
            columns,
            rows,
            rgb: Vec::new(),
            added: 0,
        };
        sheet.rgb = vec![BACKGROUND; sheet.width() * sheet.height() * 3];
        sheet
    }

    /// Adds a picture from the bytes of a file in the next cell.
    pub fn add(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), PictureError> {
        let side = u32::try_from(CELL).unwrap_or(u32::MAX);
        let picture = resize::to_fit(decode(bytes, limits)?, side).upright();
        self.place(&picture);
        Ok(())
    }

    /// The sheet as JPEG.
    pub fn finish(mut self) -> Result<Vec<u8>, PictureError> {
        // Fewer pictures may have come than were announced: rows that stayed empty are left out.
        self.rows = self.added.div_ceil(self.columns).max(1);
        self.rgb.truncate(self.width() * self.height() * 3);
        let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (width, height) = (size(self.width()), size(self.height()));
        let picture = Picture::new(width, height, self.rgb)
            .ok_or_else(|| PictureError::Encode("the sheet has no size".to_owned()))?;
        to_jpeg(&picture, 85)
    }

    fn width(&self) -> usize {
        self.columns * (CELL + GAP) + GAP
    }

    fn height(&self) -> usize {
        self.rows * (CELL + GAP) + GAP
    }

    fn place(&mut self, picture: &Picture) {
        let (width, height) = (picture.width as usize, picture.height as usize);
        if self.added >= self.columns * self.rows || width > CELL || height > CELL {
            return;
        }
        let (column, row) = (self.added % self.columns, self.added / self.columns);
        self.added += 1;
        let left = GAP + column * (CELL + GAP) + (CELL - width) / 2;
        let top = GAP + row * (CELL + GAP) + (CELL - height) / 2;
        let stride = self.width() * 3;
        for (line, pixels) in picture.rgb.chunks_exact(width * 3).enumerate() {
            let from = (top + line) * stride + left * 3;
            if let Some(target) = self.rgb.get_mut(from..from + pixels.len()) {
                target.copy_from_slice(pixels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_results_are_spread_from_the_first_to_the_last() {
        assert_eq!(Sheet::choose(3), [0, 1, 2]);
        let chosen = Sheet::choose(10_000);
        assert_eq!((chosen.len(), chosen[0], chosen[47]), (48, 0, 9_999));
        assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn pictures_lie_in_their_cells() {
        let mut sheet = Sheet::new(2);
        sheet.place(&Picture::new(2, 1, vec![9; 6]).unwrap());
        sheet.place(&Picture::new(1, 2, vec![7; 6]).unwrap());
        let jpeg = sheet.finish().unwrap();
        let seen = decode(&jpeg, &Limits::default()).unwrap();
        assert_eq!((seen.width, seen.height), (516, 264));
    }

    #[test]
    fn rows_that_stayed_empty_are_left_out() {
        let mut sheet = Sheet::new(COLUMNS + 1);
        for _ in 0..COLUMNS {
            sheet.place(&Picture::new(1, 1, vec![7; 3]).unwrap());
        }
        let seen = decode(&sheet.finish().unwrap(), &Limits::default()).unwrap();
        assert_eq!((seen.width, seen.height), (1524, 264));
    }
}
