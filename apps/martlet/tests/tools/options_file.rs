//! Options that stand in a file.

use martlet_harness::Broker;

use crate::support::{Tools, done, listener};

#[test]
fn the_usual_file_is_read_and_flags_overrule_it() {
    let (broker, tools) = (Broker::start(), Tools::new());
    let mut listener = listener(&broker);
    let port = broker.address().port();
    let options = format!("# to the test's broker\n-h 127.0.0.1\n-p {port}\n-t of/file\n-m two words\n");
    tools.file(".config/mosquitto_pub", &options);
    tools.file("elsewhere/mosquitto_pub", &options.replace("of/file", "of/xdg"));
    let folder = tools.folder().join("elsewhere");

    assert_eq!(done(tools.tool("mosquitto_pub").output().unwrap()).code, Some(0));
    assert_eq!(listener.receives("of/file"), b"two words");
    assert!(tools.tool("mosquitto_pub").args(["-t", "of/flag"]).status().unwrap().success());
    assert_eq!(listener.receives("of/flag"), b"two words");
    assert!(tools.tool("mosquitto_pub").env("XDG_CONFIG_HOME", folder).status().unwrap().success());
    assert_eq!(listener.receives("of/xdg"), b"two words");
}

#[test]
fn another_file_can_be_named() {
    let (broker, tools) = (Broker::start(), Tools::new());
    let mut listener = listener(&broker);
    tools.file(".config/mosquitto_pub", "--nonsense\n");
    tools.file("mine", "-t mine\n-D publish user-property a b\n");
    assert_eq!(tools.run("mosquitto_pub", &broker, "-o mine -m x").code, Some(0));
    assert_eq!(listener.receives("mine"), b"x");
    assert_eq!(tools.run("mosquitto_pub", &broker, "-o missing -t a -m x").code, Some(1));
    let words = tools.run("mosquitto_pub", &broker, "-t a -m x").words;
    assert!(words.starts_with("Error: Unknown option '--nonsense'."), "{words}");
}
