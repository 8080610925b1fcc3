//! The model of a document.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A Rich Content document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The widgets from top to bottom.
    pub content: Vec<Widget>,
    /// Version of the format.
    pub version: Version,
}

impl Document {
    /// A document of these widgets.
    pub fn new(content: Vec<Widget>) -> Self {
        Self {
            content,
            version: Version,
        }
    }
}

/// Version of the format: the number 0.3. A text is refused, as the schema does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version;

impl Version {
    const NUMBER: f64 = 0.3;
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(Self::NUMBER)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        if number.to_bits() == Self::NUMBER.to_bits() {
            Ok(Self)
        } else {
            Err(de::Error::custom(format!("version {number} is not 0.3")))
        }
    }
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "widgetName")]
pub enum Widget {
    /// Pictures with texts.
    #[serde(rename = "raShowcase")]
    Showcase(Showcase),
    /// A text.
    #[serde(rename = "raTextBlock")]
    TextBlock(TextBlock),
    /// A table.
    #[serde(rename = "raTable")]
    Table(TableWidget),
    /// A video.
    #[serde(rename = "raVideo")]
    Video(Video),
    /// A list.
    #[serde(rename = "list")]
    List(List),
}

/// Pictures with texts, by layout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Showcase {
    /// A picture over the whole width.
    #[serde(rename = "roll")]
    Roll {
        /// The pictures.
        blocks: Vec<RollBlock>,
    },
    /// A large picture with a text.
    #[serde(rename = "billboard")]
    Billboard {
        /// The pictures.
        blocks: Vec<ShowcaseBlock>,
    },
    /// Picture and text beside each other, by turns.
    #[serde(rename = "chess")]
    Chess {
        /// The pictures.
        blocks: Vec<ChessBlock>,
    },
    /// Medium tiles.
    #[serde(rename = "tileM")]
    TileM {
        /// The tiles.
        blocks: Vec<ShowcaseBlock>,
    },
    /// Large tiles.
    #[serde(rename = "tileL")]
    TileL {
        /// The tiles.
        blocks: Vec<ShowcaseBlock>,
    },
    /// The largest tiles.
    #[serde(rename = "tileXL")]
    TileXl {
        /// The tiles.
        blocks: Vec<ShowcaseBlock>,
    },
    /// Small tiles.
    #[serde(rename = "tileSecondary")]
    TileSecondary {
        /// The tiles.
        blocks: Vec<ShowcaseBlock>,
    },
}

impl Showcase {
    /// How many blocks there are, and how many there should be: fewest and most.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        match self {
            Self::Roll { blocks } => (blocks.len(), 1, usize::MAX),
            Self::Billboard { blocks } => (blocks.len(), 1, 3),
            Self::Chess { blocks } => (blocks.len(), 2, 6),
            Self::TileM { blocks } | Self::TileSecondary { blocks } => (blocks.len(), 2, 8),
            Self::TileL { blocks } => (blocks.len(), 2, 6),
            Self::TileXl { blocks } => (blocks.len(), 2, 4),
        }
    }
}

/// A picture of a roll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollBlock {
    /// The picture.
    pub img: Image,
    /// Where a click leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub img_link: Option<String>,
}

/// A picture with texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShowcaseBlock {
    /// The picture.
    pub img: Image,
    /// Where a click leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub img_link: Option<String>,
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}

/// A picture with texts that can change sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChessBlock {
    /// Picture and texts.
    #[serde(flatten)]
    pub block: ShowcaseBlock,
    /// Whether the picture is on the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse: Option<bool>,
}

/// A picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Address.
    pub src: String,
    /// Address for small screens.
    pub src_mobile: String,
    /// What it shows, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// How it fills its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The same on small screens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_mobile: Option<Position>,
    /// Whether it is darkened under a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_parandja: Option<bool>,
    /// The same on small screens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_parandja_mobile: Option<bool>,
    /// Width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
    /// Height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<f64>,
    /// Width on small screens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width_mobile: Option<f64>,
    /// Height on small screens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height_mobile: Option<f64>,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        })*
    };
}

words! {
    /// How a picture fills its place.
    Position {
        /// All of it.
        Fill = "fill",
        /// To the edge.
        ToTheEdge = "to_the_edge",
        /// The whole width.
        WidthFull = "width_full",
        /// Half the width.
        WidthHalf = "width_half",
        /// A third of the width.
        WidthOneThird = "width_one_third",
        /// A quarter of the width.
        WidthOneFourth = "width_one_fourth",
    }
    /// Size of a text, from large to small.
    Size {
        /// Size 1.
        Size1 = "size1",
        /// Size 2.
        Size2 = "size2",
        /// Size 3.
        Size3 = "size3",
        /// Size 4.
        Size4 = "size4",
        /// Size 5.
        Size5 = "size5",
        /// Size 6.
        Size6 = "size6",
        /// Size 7.
        Size7 = "size7",
    }
    /// Colour of a text.
    Color {
        /// Colour 1.
        Color1 = "color1",
        /// Colour 2.
        Color2 = "color2",
        /// Colour 3.
        Color3 = "color3",
        /// Colour 4.
        Color4 = "color4",
    }
    /// Alignment.
    Align {
        /// Left.
        Left = "left",
        /// In the middle.
        Center = "center",
        /// Right.
        Right = "right",
    }
    /// Theme of a text block.
    Theme {
        /// Default.
        Default = "default",
        /// Primary.
        Primary = "primary",
        /// Secondary.
        Secondary = "secondary",
        /// Tertiary.
        Tertiary = "tertiary",
    }
    /// Padding of a text block.
    Padding {
        /// Type 1.
        Type1 = "type1",
        /// Type 2.
        Type2 = "type2",
    }
    /// Gap between title and text.
    Gap {
        /// Small.
        Small = "s",
        /// Medium.
        Medium = "m",
    }
    /// What stands before the entries of a list.
    ListTheme {
        /// A bullet.
        Bullet = "bullet",
        /// A picture.
        Image = "image",
        /// A number.
        Number = "number",
    }
}

/// A formatted text: plain paragraphs, or pieces with links and line ends. The format takes both
/// at once as well and then wants them to say the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// The words.
    #[serde(flatten)]
    pub words: BlockText,
    /// Size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// Alignment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<Align>,
}

/// The words of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BlockText {
    /// Both forms.
    Both {
        /// Paragraphs.
        content: Vec<Paragraph>,
        /// Pieces.
        items: Vec<Inline>,
    },
    /// Paragraphs.
    Content {
        /// Paragraphs.
        content: Vec<Paragraph>,
    },
    /// Pieces.
    Items {
        /// Pieces.
        items: Vec<Inline>,
    },
}

/// A paragraph.
pub type Paragraph = String;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Inline {
    /// Words.
    Text {
        /// The words.
        content: String,
    },
    /// Words that lead somewhere.
    Link {
        /// The words.
        content: String,
        /// Where to.
        href: String,
    },
    /// A line end.
    Br {},
}

/// A text block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TextBlock {
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// Theme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theme: Option<Theme>,
    /// Padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<Padding>,
    /// Gap between title and text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_size: Option<Gap>,
}

/// A table with its title.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableWidget {
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// The table.
    pub table: TableBody,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableBody {
    /// Heads of the columns.
    pub head: Vec<HeadCell>,
    /// Rows of cells.
    pub body: Vec<Vec<TableCell>>,
    /// Whether the heads are hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide_head: Option<bool>,
    /// Whether a row lights up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hover_row: Option<bool>,
    /// Whether a column lights up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hover_column: Option<bool>,
}

/// Head of a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadCell {
    /// The words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TableText>,
    /// A picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub img: Option<Image>,
    /// Alignment of the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_align: Option<Align>,
    /// Size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// Alignment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub align: Option<Align>,
}

/// Words of a head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TableText {
    /// Paragraphs.
    Content(Vec<Paragraph>),
    /// Pieces.
    Items(Vec<Inline>),
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TableCell {
    /// Paragraphs.
    Content(Vec<Paragraph>),
    /// Pieces.
    Items {
        /// The pieces.
        items: Vec<Inline>,
    },
}

/// A video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Video {
    /// On YouTube.
    Youtube {
        /// Its id there.
        id: String,
    },
    /// From an address.
    Embedded {
        /// The same video in several forms.
        sources: Vec<Source>,
        /// Width in pixels.
        width: f64,
        /// Height in pixels.
        height: f64,
    },
}

/// One form of a video.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Media type, such as `video/mp4`.
    #[serde(rename = "type")]
    pub media_type: MediaType,
    /// Address.
    pub src: String,
}

words! {
    /// Media type of a video.
    MediaType {
        /// 3GPP.
        ThreeGpp = "video/3gpp",
        /// MPEG-4.
        Mp4 = "video/mp4",
        /// MPEG.
        Mpeg = "video/mpeg",
        /// Ogg.
        Ogg = "video/ogg",
        /// QuickTime.
        QuickTime = "video/quicktime",
        /// WebM.
        WebM = "video/webm",
    }
}

/// A list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List {
    /// What stands before the entries.
    pub theme: ListTheme,
    /// The entries.
    pub blocks: Vec<ListBlock>,
}

/// An entry of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListBlock {
    /// A picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub img: Option<Image>,
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// Text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}
