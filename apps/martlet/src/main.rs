//! The `martlet` command: an MQTT broker, and the tools to talk to one.
//!
//! One file for each subcommand. Started under the name `mosquitto`, the program takes Mosquitto's flags.

mod broker;
mod config;
mod ctrl;
mod mosquitto;
mod passwd;
mod publish;
mod request;
mod store;
mod subscribe;
mod tools;

mod connect_options;
mod log;
mod port_owner;
mod process;
mod serving;
mod store_options;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::tools::Tool;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An MQTT broker for 3.1, 3.1.1 and 5.0 that keeps its word.
///
/// Without a command it runs the broker, for clients on this machine only:
///
///   martlet                          the broker on 127.0.0.1 and ::1, port 1883
///   martlet --bind 0.0.0.0           the same for everybody who reaches this machine
#[derive(Debug, Parser)]
#[command(name = "martlet", version, verbatim_doc_comment, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    broker: broker::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker.
    Broker(Box<broker::Args>),
    /// Publish messages.
    Pub(Box<publish::Args>),
    /// Subscribe and print what comes.
    Sub(Box<subscribe::Args>),
    /// Publish a request and print the response.
    Rr(Box<request::Args>),
    /// Keep users and their passwords in a password file.
    Passwd(passwd::Args),
    /// Change who may do what in a running broker (dynamic security).
    Ctrl(Box<ctrl::Args>),
    /// Check, convert, show and compare configuration files.
    Config(config::Args),
    /// Look after the store of a broker that is stopped.
    Store(store::Args),
    /// Run the broker with Mosquitto's flags and answers.
    #[command(disable_help_flag = true)]
    Mosquitto {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the program's last word, to whoever started it")]
            {
                eprintln!("martlet: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let program = args.first().cloned().unwrap_or_default();
    if is_mosquitto(&program) {
        return mosquitto::run(&args[1..]);
    }
    if let Some(tool) = Tool::of(&program) {
        return tool.run(args.split_off(1));
    }
    let cli = Cli::parse_from(tools::with_options_file(args)?);
    match cli.command {
        None => broker::run(&cli.broker),
        Some(Command::Broker(args)) => broker::run(&args),
        Some(Command::Pub(args)) => publish::run(&args),
        Some(Command::Sub(args)) => subscribe::run(&args),
        Some(Command::Rr(args)) => request::run(&args),
        Some(Command::Passwd(args)) => passwd::run(&args),
        Some(Command::Ctrl(args)) => ctrl::run(*args),
        Some(Command::Config(args)) => config::run(&args),
        Some(Command::Store(args)) => store::run(&args),
        Some(Command::Mosquitto { args }) => mosquitto::run(&args),
    }
}

/// Was the program started under Mosquitto's name?
fn is_mosquitto(program: &OsString) -> bool {
    Path::new(program).file_name().is_some_and(|name| name == "mosquitto")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_broker_is_what_runs_without_a_command() {
        let plain = Cli::try_parse_from(["martlet", "-p", "1999"]).unwrap();
        assert!(plain.command.is_none() && plain.broker.port == 1999);
        let named = Cli::try_parse_from(["martlet", "broker", "-p", "1999"]).unwrap();
        assert!(matches!(named.command, Some(Command::Broker(args)) if args.port == 1999));
    }

    #[test]
    fn mosquittos_flags_are_left_to_mosquittos_rules() {
        let cli = Cli::try_parse_from(["martlet", "mosquitto", "-v", "-p", "1999", "-h"]).unwrap();
        let Some(Command::Mosquitto { args }) = cli.command else { panic!("{cli:?}") };
        assert_eq!(args, ["-v", "-p", "1999", "-h"]);
        assert!(is_mosquitto(&"/usr/sbin/mosquitto".into()));
        assert!(!is_mosquitto(&"martlet".into()));
    }
}
