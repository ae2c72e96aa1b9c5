//! `martlet store` on stores that a broker made.
#![allow(clippy::unwrap_used, reason = "a test that is wrong may fail")]

mod support;

mod check;
mod dump;
mod export;
mod flips;
mod repair;
mod stat;

use support::{contents, filled, folder, run, start, steady};

#[test]
fn looking_changes_nothing() {
    let folder = filled();
    let before = contents(folder.path());
    for tool in ["stat", "check", "dump", "export"] {
        assert!(run(folder.path(), &[tool]).is_success, "{tool}");
    }
    assert!(before == contents(folder.path()));
}

#[test]
fn a_store_that_a_broker_runs_on_is_left_alone() {
    let folder = folder();
    let _broker = start(folder.path());
    for tool in ["stat", "check", "repair", "dump", "export"] {
        let said = run(folder.path(), &[tool]);
        assert!(!said.is_success && said.out.is_empty(), "{tool}: {said:?}");
        steady(|| {
            insta::allow_duplicates! { insta::assert_snapshot!(said.err, @r#"
        martlet: [folder] is in use, by a broker or by another of these tools. Stop the broker first, or ask it: it says what its store is like on its topics
          martlet sub -t '$SYS/broker/store/#' -t '$SYS/broker/ledger/#' -v
        "#) }
        });
    }
}

#[test]
fn where_there_is_no_store_none_is_begun() {
    let folder = folder();
    for tool in ["stat", "check", "repair", "dump", "export"] {
        let said = run(folder.path(), &[tool]);
        assert!(!said.is_success && said.out.is_empty(), "{tool}: {said:?}");
        steady(
            || insta::allow_duplicates! { insta::assert_snapshot!(said.err, @"martlet: there is no store in [folder]. Name the folder of the broker with --data-dir") },
        );
    }
    assert_eq!(contents(folder.path()), []);
}
