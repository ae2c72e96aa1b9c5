//! Passwords from whoever sits at the terminal. What is typed is not shown, and the terminal is left as it was found, also
//! when somebody interrupts.

use std::io::{self, IsTerminal, Read, Write};

use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Asks once.
pub(crate) fn once(question: &str) -> Result<String> {
    let password = ask(question)?;
    if password.is_empty() {
        bail!("Empty password.");
    }
    Ok(password)
}

/// Asks twice, and wants the same answer.
pub(crate) fn twice(question: &str, again: &str) -> Result<String> {
    let password = once(question)?;
    if once(again)? != password {
        bail!("Passwords do not match.");
    }
    Ok(password)
}

/// Asks twice unless the first answer is empty, which is an answer here.
pub(crate) fn twice_or_none(question: &str, again: &str) -> Result<Option<String>> {
    let password = ask(question)?;
    if password.is_empty() {
        return Ok(None);
    }
    if ask(again)? != password {
        bail!("Passwords do not match.");
    }
    Ok(Some(password))
}

/// The answer, on the way to be typed.
fn ask(question: &str) -> Result<String> {
    let mut output = io::stdout();
    write!(output, "{question}")?;
    output.flush()?;
    let input = io::stdin();
    let answer = if input.is_terminal() {
        let _hidden = Hidden::new().context("the terminal cannot be told to hide the password")?;
        read_keys(&mut input.lock())?
    } else {
        read_line(&mut input.lock())?
    };
    writeln!(output)?;
    String::from_utf8(answer).context("the password is no UTF-8")
}

/// While this lives, the terminal shows nothing and hands on every key, also the one that interrupts.
struct Hidden(Termios);

impl Hidden {
    fn new() -> io::Result<Self> {
        let found = tcgetattr(io::stdin())?;
        let mut hidden = found.clone();
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self(found))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Longer than any password may be.
const ANSWER_BYTES_MAX: usize = 65_536;

/// Reads up to the end of the line, byte by byte so that the next question finds the next line.
fn read_line(input: &mut impl Read) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    while let Some(byte) = read_byte(input)? {
        match byte {
            b'\n' => break,
            _ if answer.len() == ANSWER_BYTES_MAX => bail!("the password is too long"),
            _ => answer.push(byte),
        }
    }
    if answer.last() == Some(&b'\r') {
        answer.pop();
    }
    Ok(answer)
}

/// The same from keys: some of them edit.
fn read_keys(input: &mut impl Read) -> Result<Vec<u8>> {
    const INTERRUPT: u8 = 0x03;
    const END: u8 = 0x04;
    const BACKSPACE: u8 = 0x08;
    const KILL: u8 = 0x15;
    const DELETE: u8 = 0x7F;
    let mut answer = Vec::new();
    while let Some(byte) = read_byte(input)? {
        match byte {
            b'\n' | b'\r' | END => break,
            INTERRUPT => bail!("interrupted"),
            KILL => answer.clear(),
            BACKSPACE | DELETE => {
                // A character may have several bytes; all but its first are continuations.
                while answer.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
            }
            _ if answer.len() == ANSWER_BYTES_MAX => bail!("the password is too long"),
            _ => answer.push(byte),
        }
    }
    Ok(answer)
}

fn read_byte(input: &mut impl Read) -> Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match input.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot read the password"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_edit() {
        let typed = |keys: &[u8]| read_keys(&mut &*keys).map(|answer| String::from_utf8(answer).unwrap());
        assert_eq!(typed(b"ab\x7fc\rrest").unwrap(), "ac");
        assert_eq!(typed("aé\x7f\x08\x7fb\n".as_bytes()).unwrap(), "b");
        assert_eq!(typed(b"wrong\x15right\x04").unwrap(), "right");
        assert!(typed(b"ab\x03").is_err());
    }

    #[test]
    fn lines_end_where_they_end() {
        let mut input = &b"one\r\ntwo\n"[..];
        assert_eq!(read_line(&mut input).unwrap(), b"one");
        assert_eq!(read_line(&mut input).unwrap(), b"two");
        assert_eq!(read_line(&mut input).unwrap(), b"");
    }
}
