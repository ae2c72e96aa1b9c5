//! `martlet ctrl`: changes who may do what in a running broker, by dynamic security.
//!
//! A command becomes one request on `$CONTROL/dynamic-security/v1`; its answer is printed.

mod answer;
mod request;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use martlet_auth::DynamicSecurity;
use martlet_client::{Client, Error, Event, Message, QoS, ReasonCode, SubscriptionOptions};
use serde_json::Value;

use self::request::Misuse;
use crate::connect_options::{ConnectArgs, Failure, Manner, Wants, complain, parse_qos};
use crate::passwd::prompt;

const REQUESTS: &str = "$CONTROL/dynamic-security/v1";
const ANSWERS: &str = "$CONTROL/dynamic-security/v1/response";
/// How long the broker has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Mosquitto's numbers for a command nobody knows, and for a module nobody has.
const STATUS_OF_UNKNOWN_COMMAND: u8 = 13;
const STATUS_OF_UNKNOWN_MODULE: u8 = 10;
const STATUS_OF_MISUSE: u8 = 3;
/// And for a broker that is not reached: the system said so, or nobody knows its name.
const STATUS_OF_SYSTEM_ERROR: u8 = 14;
const STATUS_OF_UNKNOWN_NAME: u8 = 15;

const EXAMPLES: &str = "\
Examples:
  Set dynamic security up:       martlet ctrl dynsec init dynamic-security.json admin
  A role that may do something:  martlet ctrl -u admin dynsec createRole sensors
                                 martlet ctrl -u admin dynsec addRoleACL sensors publishClientSend 'data/#' allow
  A client that has it:          martlet ctrl -u admin dynsec createClient thermometer
                                 martlet ctrl -u admin dynsec addClientRole thermometer sensors
  All commands:                  martlet ctrl dynsec help";

/// Change who may do what in a running broker (dynamic security)
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true, args_override_self = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The QoS of requests and answers
    #[arg(short, long, default_value = "1", value_parser = parse_qos)]
    qos: QoS,
    #[command(flatten)]
    connect: ConnectArgs,
    /// The module, its command and what that is about; the module is dynsec
    #[arg(value_name = "MODULE COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
    /// Say more: there is no more, and accepted for habit's sake
    #[arg(short, long, hide = true)]
    verbose: bool,
    /// Print this help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Carries out a command.
pub(crate) fn run(mut args: Args) -> Result<ExitCode> {
    args.connect.start_log();
    let result = control(&mut args);
    Ok(args.connect.conclude(result))
}

/// The same as `mosquitto_ctrl`.
pub(crate) fn run_as(mut args: Args) -> Result<ExitCode> {
    args.connect.manner = Manner::Mosquitto;
    args.connect.start_log();
    let result = control(&mut args);
    // This tool tells apart what the others do not.
    let code = match result.as_ref().err().and_then(|error| error.downcast_ref()) {
        Some(Error::Unreachable { source, .. }) if source.raw_os_error().is_some() => {
            Some(STATUS_OF_SYSTEM_ERROR)
        }
        Some(Error::Unreachable { .. }) => Some(STATUS_OF_UNKNOWN_NAME),
        _ => None,
    };
    let concluded = args.connect.conclude(result);
    Ok(code.map_or(concluded, ExitCode::from))
}

fn control(args: &mut Args) -> Result<ExitCode> {
    args.connect.check()?;
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let (command, words) = match words.as_slice() {
        [module, command, words @ ..] if module.eq_ignore_ascii_case("dynsec") => (*command, words),
        [module, _, ..] => {
            complain(format_args!("Error: Module '{module}' not supported."));
            return Ok(STATUS_OF_UNKNOWN_MODULE.into());
        }
        _ => {
            complain(format_args!("A module and a command are missing.\n\n{}", request::help()));
            return Ok(ExitCode::FAILURE);
        }
    };
    if command.eq_ignore_ascii_case("help") {
        print(&request::help());
        return Ok(ExitCode::SUCCESS);
    }
    if command.eq_ignore_ascii_case("init") {
        return init(words);
    }
    let request = match request::build(command, words) {
        Ok(request) => request,
        Err(Misuse::Unknown) => {
            complain(format_args!("Command '{command}' not recognised."));
            return Ok(STATUS_OF_UNKNOWN_COMMAND.into());
        }
        Err(Misuse::Arguments(usage)) => {
            complain(format_args!("Error: Invalid function arguments provided.\nUsage: dynsec {usage}"));
            return Ok(STATUS_OF_MISUSE.into());
        }
        Err(Misuse::Prompt(error)) => return Err(error),
    };
    perform(args, &request)
}

/// Makes the file that dynamic security starts with.
fn init(words: &[&str]) -> Result<ExitCode> {
    let (file, username, password) = match words {
        [file, username] => (file, username, None),
        [file, username, password] => (file, username, Some((*password).to_owned())),
        [_] | [] => bail!("dynsec init: Not enough arguments - filename, or admin-user missing."),
        _ => bail!("dynsec init: Too many arguments."),
    };
    let password = match password {
        Some(password) => password,
        None => {
            let again = format!("Reenter password for {username}: ");
            prompt::twice(&format!("New password for {username}: "), &again)?
        }
    };
    DynamicSecurity::init(Path::new(file), username, &password.into_bytes().into()).context("dynsec init")?;
    print(&format!(
        "The client '{username}' has been created in the file '{file}'.\n\
         It may change who may do what, and see $SYS and all messages; it may not publish to other topics.\n\
         Name the file in the configuration:\n\
         \x20   plugin mosquitto_dynamic_security.so\n\
         \x20   plugin_opt_config_file {file}\n\
         and then make clients for your applications with createClient, createRole, addRoleACL and addClientRole.\n"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Sends the request and prints the answer.
fn perform(args: &mut Args, request: &Value) -> Result<ExitCode> {
    if !args.connect.is_hidden() {
        args.connect.complain(match args.connect.manner {
            Manner::Native => {
                "Warning: without TLS everybody on the way can read what is changed, passwords included (--cafile)."
            }
            Manner::Mosquitto => {
                "Warning: You are running mosquitto_ctrl without encryption.\nThis means all of the configuration \
                 changes you are making are visible on the network, including passwords.\n"
            }
        });
    }
    if let Some(name) = args.connect.lacks_password() {
        let password = prompt::once(&format!("Password for {name}: "))?;
        args.connect.set_password(password);
    }
    let mut options = args.connect.options(Wants { v5: true, ..Wants::default() })?;
    options.answer_timeout = options.answer_timeout.min(PATIENCE);
    let mut client = args.connect.connect(options)?;
    let outcome = ask(&mut client, request, args.qos);
    client.disconnect().or_else(|error| if outcome.is_ok() { Err(error) } else { Ok(()) })?;
    match outcome? {
        Outcome::Answered(payload) => {
            let is_done = answer::print(&payload)?;
            // Mosquitto's tool leaves with 0 also when the broker refuses.
            Ok(if is_done || args.connect.manner == Manner::Mosquitto {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Outcome::Refused(what, reason) => {
            complain(format_args!("{what} error: {reason}"));
            Ok(u8::from(reason).into())
        }
        Outcome::Silence => {
            complain(format_args!("Timed out: is dynamic security in force there?"));
            Ok(Failure::TIMED_OUT.into())
        }
    }
}

enum Outcome {
    Answered(Vec<u8>),
    Refused(&'static str, ReasonCode),
    Silence,
}

/// Asks once the answers are subscribed to, and waits for the first.
fn ask(client: &mut Client, request: &Value, qos: QoS) -> Result<Outcome> {
    let until = Instant::now() + PATIENCE;
    let reasons = client.subscribe(&[(ANSWERS, SubscriptionOptions::new(qos))])?;
    if let Some(reason) = reasons.into_iter().find(|reason| reason.is_error()) {
        return Ok(Outcome::Refused("Subscribe", reason));
    }
    client.publish(Message::new(REQUESTS, request.to_string()).qos(qos))?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match client.poll(Some(left))? {
            Some(Event::Received(received)) => {
                return Ok(Outcome::Answered(received.message.payload.to_vec()));
            }
            Some(Event::Published { reason, .. }) if reason.is_error() => {
                return Ok(Outcome::Refused("Publish", reason));
            }
            Some(_) => {}
            None if left.is_zero() => return Ok(Outcome::Silence),
            None => {}
        }
    }
}

fn print(text: &str) {
    use std::io::Write;
    // Nobody reads any more, so nobody misses it.
    let _nobody = std::io::stdout().write_all(text.as_bytes());
}

/// A number among the words.
fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| anyhow!("{text:?} is no number"))
}
