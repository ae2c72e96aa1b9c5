//! `martlet mosquitto`, or the program under the name `mosquitto`: Mosquitto's flags, Mosquitto's answers.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use martlet_server::{Config, Dialect, raise_descriptor_limit, serve_until_signalled};

use crate::broker::{list, loopback, start};
use crate::log::{Log, LogSettings};
use crate::process::{go_on_alone, is_in_background, start_in_background};

/// Mosquitto's status for arguments it does not understand.
const STATUS_OF_BAD_ARGUMENTS: u8 = 3;

const USAGE: &str = "\
mosquitto is an MQTT v5.0/v3.1.1/v3.1 broker; this one is martlet, with Mosquitto's flags and answers.

Usage: mosquitto [-c config_file] [-d] [-h] [-p port] [-v]

 -c : specify the broker config file (martlet does not read any yet).
 -d : put the broker into the background after starting.
 -h : display this help.
 -p : start the broker listening on the specified port of this machine only.
 -v : verbose mode - enable all logging types.
";

/// What Mosquitto's flags ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    ports: Vec<u16>,
    config_file: Option<OsString>,
    background: bool,
    help: bool,
    verbose: bool,
}

/// Runs the broker as Mosquitto would.
pub(crate) fn run(args: &[OsString]) -> Result<ExitCode> {
    let flags = match Flags::parse(args) {
        Ok(flags) => flags,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "as Mosquitto says it")]
            {
                eprintln!("Error: {error}\n{USAGE}");
            }
            return Ok(ExitCode::from(STATUS_OF_BAD_ARGUMENTS));
        }
    };
    if flags.help {
        #[expect(clippy::print_stdout, reason = "help that was asked for")]
        {
            print!("{USAGE}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(file) = &flags.config_file {
        bail!(
            "configuration files are not read yet, so {} cannot be used; give the port with -p, or see `martlet broker --help`",
            file.display()
        );
    }
    if is_in_background() {
        go_on_alone();
    } else if flags.background {
        start_in_background(args)?;
        return Ok(ExitCode::SUCCESS);
    }
    serve(&flags)
}

fn serve(flags: &Flags) -> Result<ExitCode> {
    let log = Log::start(&LogSettings::mosquitto(flags.verbose))?;
    raise_descriptor_limit();
    let mut config = Config::new(Dialect::MOSQUITTO);
    let ports = if flags.ports.is_empty() { &[1883][..] } else { &flags.ports };
    config.listen = ports.iter().flat_map(|port| loopback(*port)).collect();
    config.skips_missing_addresses = true;
    let node = start(&config)?;
    tracing::info!("martlet version {} starting", env!("CARGO_PKG_VERSION"));
    tracing::info!(
        "Starting in local only mode. Connections will only be possible from clients running on this machine."
    );
    tracing::info!(
        "Listening on {}; all is in memory: nothing is kept over a restart yet.",
        list(node.addresses())
    );
    serve_until_signalled(node)?;
    tracing::info!("martlet version {} terminating", env!("CARGO_PKG_VERSION"));
    log.finish();
    Ok(ExitCode::SUCCESS)
}

impl Flags {
    fn parse(args: &[OsString]) -> Result<Self> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("-c" | "--config-file") => {
                    let file = args.next().context("-c argument given, but no config file specified.")?;
                    flags.config_file = Some(file.clone());
                }
                Some("-p" | "--port") => {
                    let port = args.next().context("-p argument given, but no port specified.")?;
                    flags.ports.push(parse_port(port)?);
                }
                Some("-d" | "--daemon") => flags.background = true,
                Some("-h" | "--help") => flags.help = true,
                Some("-v" | "--verbose") => flags.verbose = true,
                _ => bail!("Unknown option '{}'.", arg.display()),
            }
        }
        Ok(flags)
    }
}

fn parse_port(text: &OsStr) -> Result<u16> {
    let port = text.to_str().and_then(|text| text.parse().ok());
    port.filter(|port| *port > 0).with_context(|| format!("Invalid port specified ({}).", text.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Flags> {
        Flags::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn mosquittos_flags_are_understood() {
        let flags = parse(&["-v", "-p", "1999", "-d"]).unwrap();
        let expected = Flags { ports: vec![1999], verbose: true, background: true, ..Flags::default() };
        assert_eq!(flags, expected);
        assert_eq!(parse(&["-c", "m.conf"]).unwrap().config_file, Some("m.conf".into()));
    }

    #[test]
    fn what_mosquitto_refuses_is_refused() {
        for words in [&["-p"][..], &["-p", "0"], &["-p", "65536"], &["-c"], &["--bind"], &["1883"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
