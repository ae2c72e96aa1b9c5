//! What is odd about the lines of an access control file that can be read.
//!
//! Nothing here changes what a line does; a warning says what it does not do.

use martlet_access::{Entry, Grant, Who, covers};

use crate::Problem;

/// How many pairs of lines are compared, so that a file of a hundred thousand lines is read at once all the same.
const PAIRS_MAX: usize = 1_000_000;

/// What may not do what was meant, by line.
pub(crate) fn warnings(entries: &[Entry]) -> Vec<Problem> {
    let mut warnings: Vec<Problem> =
        entries.iter().flat_map(|entry| own_warnings(entry).into_iter().flatten()).collect();
    warnings.extend(denied_wholly(entries));
    warnings.sort_by_key(|warning| warning.line);
    warnings
}

fn own_warnings(entry: &Entry) -> [Option<Problem>; 2] {
    [about_placeholders(entry), about_what_never_comes(entry)]
        .map(|text| text.map(|text| Problem::warning(entry.line, text)))
}

fn about_placeholders(entry: &Entry) -> Option<String> {
    let filter = &entry.filter;
    let is_in = |level: &str| ["%c", "%u"].into_iter().find(|placeholder| level.contains(placeholder));
    let found = filter.levels().find_map(is_in);
    if entry.who != Who::Pattern {
        return found.map(|placeholder| {
            format!("`{placeholder}` stands for itself in `topic` lines: `pattern` fills it in")
        });
    }
    if found.is_none() {
        return Some(format!(
            "the pattern `{filter}` has neither %c nor %u in it: it holds for everybody alike"
        ));
    }
    let partly = filter.levels().find(|level| is_in(level).is_some() && !["%c", "%u"].contains(level))?;
    Some(format!(
        "`{partly}` has a placeholder that is not the whole level: it is filled in, but Mosquitto's manual rules it out"
    ))
}

fn about_what_never_comes(entry: &Entry) -> Option<String> {
    let never = |why: &str| Some(format!("`{}` never matches: {why}", entry.filter));
    match entry.filter.levels().next() {
        Some("$share" | "$queue") => {
            never("Messages have the topic name without what makes a subscription shared")
        }
        Some("$SYS") if entry.grant == Grant::Write => never("nobody may publish to $SYS"),
        _ => None,
    }
}

/// Lines that grant what another line of the same user denies altogether.
fn denied_wholly(entries: &[Entry]) -> Vec<Problem> {
    let (denied, granted): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.grant == Grant::Deny);
    if denied.len().saturating_mul(granted.len()) > PAIRS_MAX {
        return Vec::new();
    }
    let denial_of = |entry: &Entry| {
        let is_it = |denial: &&&Entry| {
            denial.who == entry.who && covers(denial.filter.as_str(), entry.filter.as_str())
                // What starts with a wildcard leaves out the topics that start with `$`.
                && (!denial.filter.starts_with_wildcard() || !entry.filter.as_str().starts_with('$'))
        };
        denied.iter().find(is_it).map(|denial| denial.line)
    };
    let warning = |entry: &&Entry| {
        let line = denial_of(entry)?;
        Some(Problem::warning(
            entry.line,
            format!("`{}` never matches: line {line} denies all of it", entry.filter),
        ))
    };
    granted.iter().filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use crate::AclFile;

    fn warnings(text: &str) -> Vec<String> {
        let file = AclFile::parse(text.as_bytes()).expect("a legal file");
        file.warnings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_file_has_none() {
        let text =
            "topic read $SYS/#\nuser ada\ntopic a/#\ntopic deny a/b\npattern write dev/%c/#\npattern read %u";
        assert_eq!(warnings(text), [""; 0]);
    }

    #[test]
    fn each_is_named() {
        for (text, expected) in [
            ("topic home/%u", "line 1: `%u` stands for itself"),
            ("pattern read all", "line 1: the pattern `all` has neither %c nor %u"),
            ("pattern read dev-%c/x", "line 1: `dev-%c` has a placeholder that is not the whole level"),
            ("topic $share/g/a", "line 1: `$share/g/a` never matches"),
            ("topic write $SYS/x", "line 1: `$SYS/x` never matches: nobody may publish"),
            ("topic a/b\ntopic deny a/#", "line 1: `a/b` never matches: line 2 denies all of it"),
        ] {
            let found = warnings(text);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_others_are_denied_or_part_of_it_is_no_reason() {
        assert_eq!(
            warnings("topic a/b\nuser ada\ntopic deny a/#\ntopic a/#\ntopic +/b"),
            ["line 4: `a/#` never matches: line 3 denies all of it"]
        );
        assert_eq!(warnings("topic read $SYS/#\ntopic deny #"), [""; 0]);
    }
}
