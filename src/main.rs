//! Parses the command line, runs it, prints the error chain, sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::cli::main(std::env::args_os()).into()
}
