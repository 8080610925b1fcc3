//! The template `showcase`: a roll at the head, one widget of medium tiles, a roll at the foot.
//!
//! Nothing is made up: a roll is there only where a picture was given for it, a link only where the
//! shop's number of the product is known.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    product::{Attributes, Field, Sku, picture_address},
    rich::{
        Align, BlockText, Color, Document, Image, Position, RollBlock, Showcase, ShowcaseBlock,
        Size, Text, Widget, plain_text,
    },
    rules::MOST_RECOMMENDATIONS,
};

/// Name of the template.
pub const NAME: &str = "showcase";

/// Version of what this template makes: documents of another version are made anew.
pub const VERSION: u32 = 1;

/// Fewest tiles.
const FEWEST_TILES: usize = 2;

/// Pictures for the rolls, where the user gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rolls {
    /// Address of the picture at the head.
    pub header: Option<String>,
    /// Address of the picture at the foot.
    pub footer: Option<String>,
}

impl Rolls {
    /// Checks the addresses.
    pub fn new(header: Option<String>, footer: Option<String>) -> Result<Self, ShowcaseError> {
        for address in [&header, &footer].into_iter().flatten() {
            if picture_address(address) != Some(address) {
                return Err(ShowcaseError::BadAddress(address.clone()));
            }
        }
        Ok(Self { header, footer })
    }
}

/// Why a document cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShowcaseError {
    /// The picture of a roll is not an address.
    #[error(
        "\"{0}\" is not the address of a picture: it must begin with https:// or http:// and hold no spaces"
    )]
    BadAddress(String),
    /// There are too few tiles.
    #[error("{0} tiles are too few; there must be {FEWEST_TILES} to {MOST_RECOMMENDATIONS}")]
    TooFewTiles(usize),
}

/// What a document goes without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// The roll at the head, since no picture was given.
    HeaderRoll,
    /// The roll at the foot, since no picture was given.
    FooterRoll,
    /// The link of a tile, since the product's number in the shop is not known.
    Link(String),
    /// The title of a tile, since the product has no name.
    Title(String),
    /// A tile, since the product has no picture.
    Tile(String),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderRoll => f.write_str("no roll at the head: no picture was given for it"),
            Self::FooterRoll => f.write_str("no roll at the foot: no picture was given for it"),
            Self::Link(code) => write!(f, "no link on {code}: its SKU is not known"),
            Self::Title(code) => write!(f, "no title on {code}: it has no name"),
            Self::Tile(code) => write!(f, "no tile for {code}: it has no picture"),
        }
    }
}

/// A document and what it goes without.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// The document.
    pub document: Document,
    /// What was left out, in the order of the document.
    pub left_out: Vec<LeftOut>,
}

/// Builds the document of a product from its recommendations, best first.
pub fn build<P: Attributes>(recommended: &[P], rolls: &Rolls) -> Result<Built, ShowcaseError> {
    let mut left_out = Vec::new();
    let mut tiles = Vec::new();
    if rolls.header.is_none() {
        left_out.push(LeftOut::HeaderRoll);
    }
    for product in recommended {
        match tile(product, &mut left_out) {
            Some(tile) => tiles.push(tile),
            None => left_out.push(LeftOut::Tile(product.text(Field::VendorCode).to_owned())),
        }
    }
    if rolls.footer.is_none() {
        left_out.push(LeftOut::FooterRoll);
    }
    tiles.truncate(MOST_RECOMMENDATIONS);
    if tiles.len() < FEWEST_TILES {
        return Err(ShowcaseError::TooFewTiles(tiles.len()));
    }
    let mut content = Vec::new();
    content.extend(rolls.header.as_deref().map(roll));
    content.push(Widget::Showcase(Showcase::TileM { blocks: tiles }));
    content.extend(rolls.footer.as_deref().map(roll));
    Ok(Built {
        document: Document::new(content),
        left_out,
    })
}

fn roll(address: &str) -> Widget {
    Widget::Showcase(Showcase::Roll {
        blocks: vec![RollBlock {
            img: Image {
                src: address.to_owned(),
                src_mobile: address.to_owned(),
                position: Some(Position::WidthFull),
                position_mobile: Some(Position::WidthFull),
                ..Image::default()
            },
            img_link: None,
        }],
    })
}

fn tile(product: &impl Attributes, left_out: &mut Vec<LeftOut>) -> Option<ShowcaseBlock> {
    let picture = picture_address(product.text(Field::Picture))?;
    let code = || product.text(Field::VendorCode).to_owned();
    let name = plain_text(product.text(Field::Name));
    let img_link = Sku::parse(product.text(Field::Sku)).map(|sku| sku.link());
    if img_link.is_none() {
        left_out.push(LeftOut::Link(code()));
    }
    let name = Some(name).filter(|name| !name.is_empty());
    if name.is_none() {
        left_out.push(LeftOut::Title(code()));
    }
    Some(ShowcaseBlock {
        img: Image {
            src: picture.to_owned(),
            src_mobile: picture.to_owned(),
            alt: name.clone(),
            position: Some(Position::ToTheEdge),
            position_mobile: Some(Position::ToTheEdge),
            ..Image::default()
        },
        img_link,
        title: name.map(|name| Text {
            words: BlockText::Content {
                content: vec![name],
            },
            size: Some(Size::Size4),
            color: Some(Color::Color1),
            align: Some(Align::Left),
        }),
        text: None,
    })
}
