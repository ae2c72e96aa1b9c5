//! Two manners of speaking. Under its own name the program explains; under the names of Mosquitto's tools it says what
//! they say, for whoever reads their words by a script.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, Command, FromArgMatches};
use martlet_client::{Error, Refusal, Version};

use super::complain;

/// How to speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Explain.
    #[default]
    Native,
    /// As Mosquitto's tools.
    Mosquitto,
}

const KEEPALIVE: &str = "Error: Invalid keepalive given, it must be between 5 and 65535 inclusive.\n";

/// Mosquitto's tools leave with this when they do not even begin, and also after `--help`.
const STATUS: u8 = 1;

/// Reads the arguments of one of Mosquitto's tools, or says as it would why not.
pub(crate) fn parse<A: Args + FromArgMatches>(
    tool: &'static str,
    args: Vec<OsString>,
) -> Result<A, ExitCode> {
    let mut command = A::augment_args(Command::new(tool)).no_binary_name(true);
    command.build();
    if args.first().is_some_and(|arg| arg == "--version") {
        return Err(print(&format!("{tool} version {} (martlet)\n", env!("CARGO_PKG_VERSION"))));
    }
    let args = match super::expand(&command, tool, args) {
        Ok(args) => args,
        Err(error) => return Err(refuse(tool, &format!("Error: {error:#}"))),
    };
    let matches = command.clone().try_get_matches_from(args);
    matches.and_then(|matches| A::from_arg_matches(&matches)).map_err(|error| {
        if error.kind() == ErrorKind::DisplayHelp {
            return print(&error.render().to_string());
        }
        refuse(tool, &words_of_misuse(tool, &command, &error))
    })
}

/// Says what is wrong with the arguments.
pub(crate) fn refuse(tool: &str, words: &str) -> ExitCode {
    complain(format_args!("{words}\n\nUse '{tool} --help' to see usage."));
    ExitCode::from(STATUS)
}

fn print(text: &str) -> ExitCode {
    use std::io::Write;
    let _nobody = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(STATUS)
}

/// A misuse in Mosquitto's words, as far as it has words for it.
fn words_of_misuse(tool: &str, command: &Command, error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    let invalid = text(ContextKind::InvalidArg).unwrap_or_default();
    let name = flag(command, invalid);
    match error.kind() {
        ErrorKind::UnknownArgument => format!("Error: Unknown option '{invalid}'."),
        ErrorKind::InvalidValue if text(ContextKind::InvalidValue).is_none_or(str::is_empty) => {
            format!("Error: {name} argument given but no {} specified.\n", noun(command, invalid))
        }
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            match (name.as_str(), flag(command, other).as_str()) {
                ("-i" | "-I", _) => "Error: -i and -I argument cannot be used together.\n".to_owned(),
                ("-R" | "--retained-only", _) => {
                    "\nError: Combining '-R' and '--retained-only' makes no sense.".to_owned()
                }
                _ => "Error: Only one type of message can be sent at once.\n".to_owned(),
            }
        }
        _ => {
            let value = text(ContextKind::InvalidValue).unwrap_or_default();
            match std::error::Error::source(error) {
                Some(why) => words_of_value(tool, &name, value, &why.to_string()),
                None => format!("Error: {}", error.to_string().trim_start_matches("error: ").trim_end()),
            }
        }
    }
}

/// What is wrong with a value.
fn words_of_value(tool: &str, name: &str, value: &str, why: &str) -> String {
    match name {
        "-t" if tool == "mosquitto_sub" => {
            format!("Error: Invalid subscription topic '{value}', are all '+' and '#' wildcards correct?")
        }
        "-t" => format!("Error: Invalid publish topic '{value}', does it contain '+' or '#'?"),
        "-e" => format!("Error: Invalid response topic '{value}', does it contain '+' or '#'?"),
        "-U" => format!("Error: Invalid unsubscribe topic '{value}', are all '+' and '#' wildcards correct?"),
        "-T" => format!("Error: Invalid filter topic '{value}', are all '+' and '#' wildcards correct?"),
        "-q" => format!("Error: Invalid QoS given: {value}"),
        "-p" => format!("Error: Invalid port given: {value}"),
        "-C" => format!("Error: Invalid message count \"{value}\".\n"),
        "-W" => format!("Error: Invalid timeout \"{value}\".\n"),
        "-k" => KEEPALIVE.to_owned(),
        "-V" => "Error: Invalid protocol version argument given.\n".to_owned(),
        _ => format!("Error: Invalid value '{value}' given for {name}: {why}.\n"),
    }
}

/// The flag as Mosquitto calls it: by its letter if it has one.
fn flag(command: &Command, shown: &str) -> String {
    let known = find(command, shown);
    let letter = known.and_then(Arg::get_short).map(|letter| format!("-{letter}"));
    letter.unwrap_or_else(|| shown.split_whitespace().next().unwrap_or(shown).to_owned())
}

/// What the flag wants to be told.
fn noun(command: &Command, shown: &str) -> String {
    let names = find(command, shown).and_then(Arg::get_value_names);
    let name = names.and_then(|names| names.first()).map_or_else(|| "value".to_owned(), ToString::to_string);
    match name.as_str() {
        "QOS" => "QoS".to_owned(),
        "URL" => name,
        name => name.to_ascii_lowercase(),
    }
}

fn find<'a>(command: &'a Command, shown: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|known| known.to_string() == shown)
}

/// The failure as Mosquitto's tools tell it.
pub(super) fn words_of_failure(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref::<Error>() {
        Some(Error::Refused(refusal)) => words_of_refusal(refusal),
        Some(Error::Unreachable { source, .. }) if source.raw_os_error().is_some() => {
            let text = source.to_string();
            vec![format!("Error: {}", text.split(" (os error").next().unwrap_or(&text))]
        }
        Some(Error::Unreachable { .. }) => vec!["Unable to connect (Lookup error.).".to_owned()],
        Some(Error::Lost(_) | Error::Disconnected(_)) => vec!["Error: The connection was lost.".to_owned()],
        Some(Error::Untrusted(why)) => vec![format!("Unable to connect (A TLS error occurred.). ({why})")],
        Some(Error::Tls(why)) => vec![format!("Error: A TLS error occurred. ({why})")],
        Some(Error::TlsOptions(why)) => vec![format!("Error: Problem setting TLS options: {why}.")],
        Some(Error::Proxy(why)) => vec![format!("Error: Proxy error. ({why})")],
        Some(Error::Silent { awaited: "PINGRESP", .. }) => {
            vec!["Error: Client exceeded timeout.".to_owned()]
        }
        _ => vec![format!("Error: {error:#}")],
    }
}

fn words_of_refusal(refusal: &Refusal) -> Vec<String> {
    if refusal.version == Version::V5 {
        return vec![format!("Connection error: {}", refusal.reason)];
    }
    let why = match refusal.code() {
        1 => "unacceptable protocol version",
        2 => "identifier rejected",
        3 => "broker unavailable",
        4 => "bad user name or password",
        5 => "not authorised",
        _ => "unknown reason",
    };
    vec![format!("Connection error: Connection Refused: {why}.")]
}
