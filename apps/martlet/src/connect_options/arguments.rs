//! What stands on the command line before it is parsed: options of a file come first, so that those given by hand
//! overrule them, and the words of a `-D` become one, so that no word of theirs is taken for an option.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Arg, Command};

use super::property::{SEPARATOR, words_of};

/// The arguments with those of the options file before them. `name` is the file's where `-o` names none: Mosquitto's
/// tools read `mosquitto_pub`, `mosquitto_sub` and so on in the user's folder of configuration.
pub(crate) fn expand(command: &Command, name: &str, args: Vec<OsString>) -> Result<Vec<OsString>> {
    let mut expanded = match options_file(command, &args) {
        Some(path) => read_options(&path).with_context(|| format!("cannot read {}", path.display()))?,
        // Nobody has to have one.
        None => default_file(name).and_then(|path| read_options(&path).ok()).unwrap_or_default(),
    };
    expanded.extend(args);
    Ok(join_properties(command, expanded))
}

/// The options of a file: one in each line, its value behind a space.
fn read_options(path: &PathBuf) -> std::io::Result<Vec<OsString>> {
    let text = fs::read_to_string(path)?;
    Ok(text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(words_of_line)
        .map(OsString::from)
        .collect())
}

/// An option and its value, which may contain spaces; only the words of a property are words.
fn words_of_line(line: &str) -> Vec<&str> {
    let line = line.trim_end_matches(['\r', '\n']).trim_start_matches(' ');
    match line.split_once(' ') {
        _ if line.is_empty() => Vec::new(),
        None => vec![line],
        Some((option @ ("-D" | "--property"), words)) => {
            [option].into_iter().chain(words.split(' ')).collect()
        }
        Some((option, value)) => vec![option, value],
    }
}

fn default_file(name: &str) -> Option<PathBuf> {
    let folder = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config")))?;
    Some(folder.join(name))
}

/// What `-o` names.
fn options_file(command: &Command, args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter();
    let mut path = None;
    while let Some(arg) = args.next() {
        if arg == "-o" {
            path = args.next().map(PathBuf::from);
        } else if takes_value(command, arg) {
            args.next();
        }
    }
    path
}

/// Puts the words of each complete `-D` into one argument.
fn join_properties(command: &Command, args: Vec<OsString>) -> Vec<OsString> {
    let mut joined = Vec::with_capacity(args.len());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let is_property = arg == "-D" || arg == "--property";
        let count = if is_property { words_of(args.as_slice()) } else { None };
        if let Some(count) = count {
            let words: Vec<_> = args.by_ref().take(count).collect();
            let words = words.join(OsStr::new(SEPARATOR.encode_utf8(&mut [0; 4])));
            let mut property = OsString::from("--property=");
            property.push(words);
            joined.push(property);
        } else {
            let has_value = !is_property && takes_value(command, &arg);
            joined.push(arg);
            joined.extend(if has_value { args.next() } else { None });
        }
    }
    joined
}

/// Whether the next argument is this one's value, whatever it looks like.
fn takes_value(command: &Command, arg: &OsStr) -> bool {
    let Some(arg) = arg.to_str() else { return false };
    let is_meant = |known: &&Arg| match (arg.strip_prefix("--"), arg.strip_prefix('-')) {
        (Some(long), _) => known.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long)),
        (None, Some(short)) => known.get_short().is_some_and(|name| short.chars().eq([name])),
        (None, None) => false,
    };
    command.get_arguments().find(is_meant).is_some_and(|known| known.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        let value = |short, long: &'static str| Arg::new(long).short(short).long(long);
        Command::new("t").args([value('m', "message"), value('o', "options"), value('D', "property")])
    }

    fn join(line: &[&str]) -> Vec<String> {
        let args = line.iter().map(OsString::from).collect();
        join_properties(&command(), args).into_iter().map(|arg| arg.into_string().unwrap()).collect()
    }

    #[test]
    fn a_property_is_one_argument_whatever_its_words_look_like() {
        assert_eq!(
            join(&[
                "-D",
                "publish",
                "user-property",
                "-a",
                "-b",
                "-D",
                "publish",
                "content-type",
                "x",
                "-m",
                "y"
            ]),
            [
                "--property=publish\u{1f}user-property\u{1f}-a\u{1f}-b",
                "--property=publish\u{1f}content-type\u{1f}x",
                "-m",
                "y"
            ]
        );
        assert_eq!(join(&["-m", "-D", "a", "b", "c"]), ["-m", "-D", "a", "b", "c"]);
        assert_eq!(join(&["-D", "publish"]), ["-D", "publish"]);
    }

    #[test]
    fn a_line_is_an_option_and_the_rest_is_its_value() {
        assert_eq!(words_of_line("-m two words\r"), ["-m", "two words"]);
        assert_eq!(words_of_line("--quiet"), ["--quiet"]);
        assert_eq!(words_of_line("-D publish content-type a"), ["-D", "publish", "content-type", "a"]);
        assert!(words_of_line("").is_empty());
    }

    #[test]
    fn the_file_is_what_stands_behind_its_flag() {
        let file =
            |line: &[&str]| options_file(&command(), &line.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(file(&["-m", "-o", "x"]), None);
        assert_eq!(file(&["-m", "y", "-o", "x"]), Some("x".into()));
    }
}
