//! `martlet passwd`: users and their passwords in a password file.

pub(crate) mod prompt;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use martlet_auth::passwd::{check_username, create, delete, hash_all, set};
use martlet_auth::{Scheme, Secret};

use crate::connect_options::{Manner, complain};

const EXAMPLES: &str = "\
Examples:
  A new file with one user:         martlet passwd -c passwd alice
  One more user, or a new password: martlet passwd passwd bob
  The same in a script:             martlet passwd -b passwd bob 'the password'
  Bob may not enter any more:       martlet passwd -D passwd bob
  Passwords written by hand:        martlet passwd -U passwd

The broker reads the file again on SIGHUP. The file is replaced as a whole, and only its owner can read it.";

const USAGE: &str = "\
mosquitto_passwd manages the password files of Mosquitto; this one is martlet's, with the same flags.

Usage: mosquitto_passwd [-H sha512 | -H sha512-pbkdf2 | -H argon2id] [-I iterations] [-c | -D] passwordfile username
       mosquitto_passwd [-H ...] [-I iterations] [-c] -b passwordfile username password
       mosquitto_passwd [-H ...] [-I iterations] -U passwordfile

 -b : take the password from the command line.
 -c : make a new file, in place of one that may be there.
 -D : remove the user.
 -H : how passwords are hashed; sha512-pbkdf2 if not told.
 -I : how many rounds sha512-pbkdf2 takes; 101 if not told.
 -U : hash the passwords that stand in the file as they are.
";

/// Keep users and their passwords in a password file
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Make a new file, in place of one that may be there
    #[arg(short, conflicts_with_all = ["delete", "update"])]
    create: bool,
    /// Take the password from the command line, where others may see it
    #[arg(short, conflicts_with_all = ["delete", "update"])]
    batch: bool,
    /// Remove the user
    #[arg(short = 'D', conflicts_with = "update")]
    delete: bool,
    /// Hash the passwords that stand in the file as they are
    #[arg(short = 'U')]
    update: bool,
    /// How passwords are hashed: argon2id, sha512-pbkdf2 (which Mosquitto 2.0 reads) or sha512
    #[arg(short = 'H', value_name = "HASH", default_value = "argon2id")]
    hash: String,
    /// How many rounds sha512-pbkdf2 takes
    #[arg(short = 'I', value_name = "ITERATIONS", default_value_t = ITERATIONS)]
    iterations: u32,
    /// The password file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The user
    #[arg(value_name = "USERNAME", required_unless_present = "update")]
    username: Option<String>,
    /// With -b: the password
    #[arg(value_name = "PASSWORD", required_if_eq("batch", "true"))]
    password: Option<String>,
}

/// What Mosquitto 2.0 takes.
const ITERATIONS: u32 = 101;

/// Changes the file.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.password.is_some() && !args.batch {
        bail!("the password is asked for; to give it on the command line say -b");
    }
    let scheme = scheme(&args.hash, args.iterations).map_err(anyhow::Error::msg)?;
    let username = args.username.clone().unwrap_or_default();
    let task = if args.update {
        Task::Update
    } else if args.delete {
        Task::Delete(username)
    } else {
        Task::Set { username, password: args.password.clone(), is_new_file: args.create }
    };
    carry_out(&task, &args.file, scheme, Manner::Native)
}

/// The same as `mosquitto_passwd`.
pub(crate) fn run_as_mosquitto(args: &[OsString]) -> ExitCode {
    let Flags { scheme, task, file } = match Flags::parse(args) {
        Ok(flags) => flags,
        Err(Misuse::Usage) => {
            #[expect(clippy::print_stdout, reason = "as Mosquitto's does")]
            {
                print!("{USAGE}");
            }
            return ExitCode::FAILURE;
        }
        Err(Misuse::Error(words)) => {
            complain(format_args!("Error: {words}"));
            return ExitCode::FAILURE;
        }
    };
    carry_out(&task, &file, scheme, Manner::Mosquitto).unwrap_or_else(|error| {
        complain(format_args!("Error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// What to do to the file.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Set { username: String, password: Option<String>, is_new_file: bool },
    Delete(String),
    Update,
}

fn carry_out(task: &Task, file: &Path, scheme: Scheme, manner: Manner) -> Result<ExitCode> {
    match task {
        Task::Update => {
            let hashed = hash_all(file, scheme)?;
            if manner == Manner::Native {
                complain(format_args!("{hashed} passwords hashed"));
            }
        }
        Task::Delete(username) => {
            if !delete(file, username)? {
                complain(format_args!("Warning: User {username} not found in password file."));
                return Ok(ExitCode::FAILURE);
            }
        }
        Task::Set { username, password, is_new_file } => {
            // Nobody should have to type a password for a name that is refused.
            check_username(username)?;
            let password: Secret = match password {
                Some(password) => password.as_str().into(),
                None => prompt::twice("Password: ", "Reenter password: ")?.into_bytes().into(),
            };
            if *is_new_file {
                create(file, username, &password, scheme)?;
            } else {
                set(file, username, &password, scheme)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn scheme(name: &str, iterations: u32) -> Result<Scheme, String> {
    match name {
        "sha512" => Ok(Scheme::Sha512),
        "sha512-pbkdf2" => Scheme::pbkdf2(iterations)
            .ok_or_else(|| "Number of iterations must be > 0, and no more than 10000000.".to_owned()),
        "argon2id" => Ok(Scheme::ARGON2ID),
        other => Err(format!("Unknown hash type '{other}'")),
    }
}

/// What the flags of `mosquitto_passwd` ask for.
#[derive(Debug, PartialEq, Eq)]
struct Flags {
    scheme: Scheme,
    task: Task,
    file: PathBuf,
}

#[derive(Debug, PartialEq, Eq)]
enum Misuse {
    Usage,
    Error(String),
}

impl From<&str> for Misuse {
    fn from(words: &str) -> Self {
        Self::Error(words.to_owned())
    }
}

impl Flags {
    /// Flags come first. What follows them depends on them.
    fn parse(args: &[OsString]) -> Result<Self, Misuse> {
        let (mut batch, mut is_new_file, mut deletes, mut updates) = (false, false, false, false);
        let (mut hash, mut iterations) = ("sha512-pbkdf2".to_owned(), ITERATIONS);
        let mut at = 0;
        let value = |at: usize, flag: &str| {
            let missing = || Misuse::Error(format!("{flag} argument given but not enough other arguments."));
            args.get(at + 1).map(|text| text.to_string_lossy().into_owned()).ok_or_else(missing)
        };
        while let Some(arg) = args.get(at) {
            match arg.to_str() {
                Some("-H") => {
                    hash = value(at, "-H")?;
                    at += 1;
                }
                Some("-I") => {
                    // What is no number is refused as none.
                    iterations = value(at, "-I")?.parse().unwrap_or(0);
                    at += 1;
                }
                Some("-b") => batch = true,
                Some("-c") => is_new_file = true,
                Some("-D") => deletes = true,
                Some("-U") => updates = true,
                _ => break,
            }
            at += 1;
        }
        for (one, other, words) in [
            (is_new_file, deletes, "-c and -D cannot be used together."),
            (is_new_file, updates, "-c and -U cannot be used together."),
            (deletes, updates, "-D and -U cannot be used together."),
            (deletes, batch, "-b and -D cannot be used together."),
        ] {
            if one && other {
                return Err(words.into());
            }
        }
        let scheme = scheme(&hash, iterations).map_err(Misuse::Error)?;
        let rest: Vec<_> = args[at..].iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let set = |username: &String, password: Option<&String>| Task::Set {
            username: username.clone(),
            password: password.cloned(),
            is_new_file,
        };
        let (file, task) = match rest.as_slice() {
            [file, user, ..] if deletes => (file, Task::Delete(user.clone())),
            _ if deletes => return Err("-D argument given but password file or username missing.".into()),
            [file] if updates => (file, Task::Update),
            _ if updates => return Err("-U argument given but password file missing.".into()),
            [file, user, password] if batch => (file, set(user, Some(password))),
            [file, user, password, ..] if batch && is_new_file => (file, set(user, Some(password))),
            [file, user] if !batch => (file, set(user, None)),
            [file, user, ..] if !batch && is_new_file => (file, set(user, None)),
            _ if is_new_file && batch => {
                return Err("-c argument given but password file, username, or password missing.".into());
            }
            _ if is_new_file => return Err("-c argument given but password file or username missing.".into()),
            _ => return Err(Misuse::Usage),
        };
        Ok(Self { scheme, task, file: file.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Flags, Misuse> {
        Flags::parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    fn set(username: &str, password: Option<&str>, is_new_file: bool) -> Task {
        Task::Set { username: username.to_owned(), password: password.map(str::to_owned), is_new_file }
    }

    #[test]
    fn flags_say_what_is_to_be_done() {
        for (line, task) in [
            ("f u", set("u", None, false)),
            ("-c f u", set("u", None, true)),
            ("-b f u p", set("u", Some("p"), false)),
            ("-c -b f u p", set("u", Some("p"), true)),
            ("-D f u", Task::Delete("u".to_owned())),
            ("-U f", Task::Update),
        ] {
            let flags = parse(line).unwrap();
            assert_eq!((flags.task, flags.scheme, flags.file), (task, Scheme::DEFAULT, "f".into()), "{line}");
        }
        assert_eq!(parse("-H sha512 -U f").unwrap().scheme, Scheme::Sha512);
        assert_eq!(parse("-I 5 -U f").unwrap().scheme, Scheme::pbkdf2(5).unwrap());
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in
            ["-c -D f u", "-c -U f", "-D -U f", "-b -D f u", "-H md5 f u", "-H", "-I 0 f u", "-U f u", "-D f"]
        {
            assert!(matches!(parse(line), Err(Misuse::Error(_))), "{line}");
        }
        for line in ["", "f", "f u p", "-b f u", "-b f u p q"] {
            assert_eq!(parse(line), Err(Misuse::Usage), "{line}");
        }
    }
}
