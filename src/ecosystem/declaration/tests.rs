//! The table of keys, held against the parser, the JSON Schema, the documentation, and the options of the command line.

mod cases;
mod documents;
mod procfile;
mod translation;
