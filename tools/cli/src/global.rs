//! The options that every command takes: how it talks.

use clap::{Args, ValueEnum};

/// What every command takes.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct Global {
    /// The form of what is printed on stdout, errors included.
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Form,

    /// Prints nothing on stderr but errors.
    #[arg(long, global = true)]
    pub(crate) quiet: bool,

    /// When to use color; `auto` is on a terminal unless NO_COLOR is set.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// The form of results.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    #[default]
    Text,
    /// For people, with more columns: of lists.
    Wide,
    /// One JSON document.
    Json,
    /// The same document as YAML.
    Yaml,
    /// Names alone, a line each: of lists.
    Name,
}

impl Form {
    /// True for a document, which programs read.
    pub(crate) const fn is_document(self) -> bool {
        matches!(self, Self::Json | Self::Yaml)
    }

    /// True for the forms that only lists have.
    pub(crate) const fn is_for_lists(self) -> bool {
        matches!(self, Self::Wide | Self::Name)
    }
}

/// When to use color.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Color> for clap::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}
