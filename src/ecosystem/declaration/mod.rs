//! From a document to app declarations, and from these to words of a command line. Pure.
//!
//! | file | subject |
//! | --- | --- |
//! | `key` | what is known of a key: its names, its type, what becomes of it |
//! | `keys` | the table of all keys: the parser, the documentation and the JSON Schema are made from it |
//! | `app` | an app as it was declared |
//! | `value` | the types of values |
//! | `text`, `yaml` | a file's text as a document |
//! | `read` | a document as declarations |
//! | `procfile`, `formation` | Procfiles, and how many of each of their types |
//! | `problem` | what is wrong, or worth a line |
//! | `select`, `roster` | which of the apps are meant, and which of these run, how many times |
//! | `depend` | which apps need which others |
//! | `environment`, `dotenv` | an app's environment |
//! | `translate` | a declaration as words |
//! | `schema`, `page`, `example` | the JSON Schema, the table of the documentation, and what `pmr init` writes |
//! | `stack` | where in a configuration file an error was thrown |

pub mod app;
mod depend;
pub mod dotenv;
pub mod environment;
pub mod example;
pub mod formation;
pub mod key;
pub mod keys;
pub mod page;
pub mod problem;
pub mod procfile;
pub mod read;
pub mod roster;
pub mod schema;
pub mod select;
pub mod stack;
pub mod text;
pub mod translate;
pub mod value;
mod watch_options;
mod yaml;

#[cfg(test)]
mod tests;
