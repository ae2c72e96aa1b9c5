//! An access control file as anybody may write it. Nothing panics, every problem names a line that is there, and what a
//! Client calls itself gets it no more than the lines that do not depend on that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martlet_access::{Access, Acl, Who};
use martlet_auth::AclFile;
use martlet_topic::{Limits, TopicName};

fuzz_target!(|data: &[u8]| {
    let lines = data.iter().filter(|byte| **byte == b'\n').count() + 1;
    let file = match AclFile::parse(data) {
        Ok(file) => file,
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(problems.iter().all(|problem| (1..=lines).contains(&(problem.line as usize))));
            return;
        }
    };
    assert!(file.entries.len() <= lines);
    let own = file.entries.iter().filter(|entry| entry.who != Who::Pattern);
    let own = Access::default().with_acl(Acl::new(own.cloned()));
    let all = Access::default().with_acl(file.rules());
    // The filters of the file are the topics most likely to be near one, when their wildcards are filled.
    let topics: Vec<_> =
        file.entries.iter().map(|entry| entry.filter.as_str().replace(['+', '#'], "x")).collect();
    for id in ["#", "+", "a/#", "x+"] {
        let (permit, least) = (all.permit(id, None), own.permit(id, None));
        for topic in &topics {
            let Ok(name) = TopicName::parse(topic, &Limits::UNLIMITED) else { continue };
            if file.entries.iter().any(|entry| entry.who == Who::Pattern) {
                assert_eq!(permit.publish(name).is_allowed(), least.publish(name).is_allowed());
                assert_eq!(permit.receive(name).is_allowed(), least.receive(name).is_allowed());
            }
        }
    }
});
