//! The executable: hands over to the library at once.

use std::process::ExitCode;

fn main() -> ExitCode {
    pmr_runtime::cli::run::main()
}
