//! `martlet mosquitto`, or the program under the name `mosquitto`: Mosquitto's flags, Mosquitto's answers.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use martlet_config::Dialect;

use crate::process::{is_in_background, start_in_background};
use crate::serving::{Origin, Volume, serve, test};

/// Mosquitto's status for arguments it does not understand.
const STATUS_OF_BAD_ARGUMENTS: u8 = 3;

const USAGE: &str = "\
mosquitto is an MQTT v5.0/v3.1.1/v3.1 broker; this one is martlet, with Mosquitto's flags and answers.

Usage: mosquitto [-c config_file] [-d] [-h] [-p port] [-q | -v] [--test-config] [--tls-keylog file]

 -c : specify the broker config file.
 -d : put the broker into the background after starting.
 -h : display this help.
 -p : start the broker listening on the specified port of this machine only. May be repeated.
      Counts only where the config file names no listener.
 -q : quiet mode - disable all logging types, whatever the config file says.
 -v : verbose mode - enable all logging types, whatever the config file says.
 --test-config : say what is wrong with the config file, and run nothing.
 --tls-keylog : write the secrets of TLS connections to this file, to decrypt captures of them.
";

/// What Mosquitto's flags ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Flags {
    ports: Vec<u16>,
    config_file: Option<PathBuf>,
    background: bool,
    help: bool,
    volume: Volume,
    test_config: bool,
    key_log: Option<PathBuf>,
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
    if flags.test_config {
        return Ok(test(&flags.origin()));
    }
    if flags.background && !is_in_background() {
        // What is wrong with the file is said while there is a terminal to say it to.
        let origin = flags.origin();
        return match origin.read() {
            Ok(_) => start_in_background(args).map(|()| ExitCode::SUCCESS),
            Err(_) => Ok(test(&origin)),
        };
    }
    serve(flags.origin())
}

impl Flags {
    fn parse(args: &[OsString]) -> Result<Self> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("-c" | "--config-file") => {
                    let file = args.next().context("-c argument given, but no config file specified.")?;
                    flags.config_file = Some(file.into());
                }
                Some("-p" | "--port") => {
                    let port = args.next().context("-p argument given, but no port specified.")?;
                    flags.ports.push(parse_port(port)?);
                }
                Some("-d" | "--daemon") => flags.background = true,
                Some("-h" | "--help") => flags.help = true,
                Some("-v" | "--verbose") => flags.volume = Volume::Everything,
                Some("-q" | "--quiet") => flags.volume = Volume::Nothing,
                Some("--test-config") => flags.test_config = true,
                Some("--tls-keylog") => {
                    let file = args.next().context("--tls-keylog argument given, but no file specified.")?;
                    flags.key_log = Some(file.into());
                }
                _ => bail!("Unknown option '{}'.", arg.display()),
            }
        }
        if flags.test_config && flags.config_file.is_none() {
            bail!("--test-config needs a config file (-c).");
        }
        Ok(flags)
    }

    fn origin(&self) -> Origin {
        Origin {
            file: self.config_file.clone(),
            dialect: Some(Dialect::Mosquitto),
            ports: self.ports.clone(),
            volume: self.volume,
            key_log: self.key_log.clone(),
            is_strict: false,
        }
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
        let expected =
            Flags { ports: vec![1999], volume: Volume::Everything, background: true, ..Flags::default() };
        assert_eq!(flags, expected);
        assert_eq!(parse(&["-c", "m.conf"]).unwrap().config_file, Some("m.conf".into()));
    }

    #[test]
    fn what_mosquitto_refuses_is_refused() {
        for words in [
            &["--test-config"][..],
            &["--tls-keylog"],
            &["-p"],
            &["-p", "0"],
            &["-p", "65536"],
            &["-c"],
            &["--bind"],
            &["1883"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
