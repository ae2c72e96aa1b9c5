//! What `mosquitto.conf` means beyond single keys: order, blocks, files that include others, and other times.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use martlet_config::{
    AcceptedVersion, Bridge, BridgeTopic, Config, Dialect, Direction, Failure, Format, Loaded,
    LogDestination, LogType, Options, Severity, read_with,
};

fn options(dialect: Dialect) -> Options {
    Options { dialect: Some(dialect), format: Some(Format::Mosquitto), strict: false }
}

fn read_files(files: &[(&str, &str)]) -> Result<Loaded, Failure> {
    let files: BTreeMap<_, _> =
        files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect();
    read_with(Path::new("m.conf"), &options(Dialect::Mosquitto), &files)
}

fn read(text: &str) -> Result<Loaded, Failure> {
    read_files(&[("m.conf", text)])
}

fn config(text: &str) -> Config {
    read(text).unwrap_or_else(|failure| panic!("{text}\n{}", failure.render(false))).config
}

fn error(text: &str) -> String {
    let failure = read(text).expect_err(text);
    let errors: Vec<_> = failure.reports.iter().filter(|it| it.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{failure}");
    errors[0].to_string()
}

fn warnings(text: &str) -> Vec<String> {
    let loaded = read(text).unwrap_or_else(|failure| panic!("{text}\n{}", failure.render(false)));
    loaded.reports.iter().map(ToString::to_string).collect()
}

fn ports(config: &Config) -> Vec<String> {
    config.listeners.iter().map(martlet_config::Listener::label).collect()
}

mod listeners {
    use super::*;

    #[test]
    fn without_one_the_broker_is_for_this_machine() {
        let config = config("allow_anonymous false\n");
        assert!(config.local_only && config.allows_anonymous(&config.listeners[0]));
        assert_eq!(ports(&config), ["localhost:1883"]);
    }

    #[test]
    fn settings_without_one_are_unheeded() {
        let config = config("max_connections 5\n");
        assert_eq!(
            (ports(&config), config.listeners[0].connections_max),
            (vec!["localhost:1883".into()], None)
        );
        let warnings = warnings("max_connections 5\n");
        assert!(warnings[0].starts_with("m.conf:1: max_connections does nothing"), "{warnings:?}");
    }

    #[test]
    fn nobody_enters_unless_somebody_says_so() {
        let config = config("listener 1883\n");
        assert!(!config.local_only && !config.allows_anonymous(&config.listeners[0]));
        let warnings = warnings("listener 1883\n");
        assert!(warnings[0].starts_with("m.conf:1: nobody can enter"), "{warnings:?}");
        assert!(super::warnings("listener 1883\nallow_anonymous true\n").is_empty());
    }

    #[test]
    fn each_has_what_stands_below_it() {
        let config = config(
            "allow_anonymous true\nlistener 1883 127.0.0.1 # here\nmax_qos 1\nlistener 1884\nlistener 0 /run/m.sock\nmax_qos 0",
        );
        assert_eq!(ports(&config), ["127.0.0.1:1883", "1884", "/run/m.sock"]);
        assert_eq!(config.listeners.iter().map(|it| it.qos_max).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn what_stands_above_the_first_one_makes_another() {
        let text = "allow_anonymous true\nmax_connections 100\nlistener 8883\n";
        let config = config(text);
        assert_eq!(ports(&config), ["8883", "1883"]);
        assert_eq!(config.listeners[1].connections_max, Some(100));
        let warnings = warnings(text);
        assert!(warnings[0].contains("opens a listener on port 1883 as well"), "{warnings:?}");
    }

    #[test]
    fn some_settings_make_none() {
        let text = "allow_anonymous true\nmax_topic_alias 5\nlistener 8883\n";
        assert_eq!(ports(&config(text)), ["8883"]);
        assert!(warnings(text)[0].contains("max_topic_alias does nothing"));
    }

    #[test]
    fn the_old_way_is_about_the_default_one_wherever_it_stands() {
        let text = "allow_anonymous true\nlistener 1884\nport 1999\nbind_address 127.0.0.1\n";
        assert_eq!(ports(&config(text)), ["1884", "127.0.0.1:1999"]);
        let warnings = warnings(text);
        assert!(warnings[0].contains("port is deprecated") && warnings[0].contains("listener PORT"));
        assert!(error("port 0").contains("port is out of range"));
        assert!(error("bind_address a\nbind_address b").contains("bind_address stands twice"));
    }

    #[test]
    fn an_address_is_needed_and_taken_once() {
        assert!(error("listener").contains("listener has no port"));
        assert!(error("listener 65536\nallow_anonymous true").contains("there is no such port"));
        assert!(error("listener 0\nallow_anonymous true").contains("needs a path"));
        assert!(error("allow_anonymous true\nlistener 1883\nlistener 1883").contains("the same address"));
    }

    #[test]
    fn a_mount_point_and_keys_of_today_need_one() {
        assert!(error("mount_point a/").contains("mount_point needs a listener"));
        for key in ["accept_protocol_versions 5", "enable_proxy_protocol 2", "listener_allow_anonymous true"]
        {
            assert!(error(key).contains("needs a listener"), "{key}");
        }
    }

    #[test]
    fn a_key_is_of_no_use_without_its_certificate() {
        assert!(error("allow_anonymous true\nlistener 1\ncertfile c").contains("the keyfile is missing"));
        let plain = warnings("allow_anonymous true\nlistener 1\ncafile c");
        assert!(plain[0].contains("nothing is encrypted here"), "{plain:?}");
        let text = "allow_anonymous true\nlistener 1\npsk_hint h\npsk_file p\ncafile c\n";
        assert!(error(text).contains("certificates and TLS-PSK"));
    }

    #[test]
    fn keys_come_from_pem_only() {
        assert!(read("tls_keyform pem").is_ok());
        assert!(error("tls_keyform engine").contains("put the key into a PEM file"));
        assert!(error("tls_engine pkcs11").contains("put the key into a PEM file"));
        assert!(error("tls_engine_kpass_sha1 00").contains("put the key into a PEM file"));
    }

    #[test]
    fn versions_are_named_by_their_numbers() {
        let config = config("allow_anonymous true\nlistener 1\naccept_protocol_versions 5, 3\n");
        assert_eq!(config.listeners[0].accept_versions, [AcceptedVersion::V3_1, AcceptedVersion::V5]);
    }
}

mod security {
    use super::*;

    #[test]
    fn it_is_the_nodes_unless_each_listener_has_its_own() {
        let lines = "listener 1\nallow_anonymous true\nlistener 2\npassword_file p\n";
        let together = config(lines);
        assert!(together.listeners.iter().all(|it| together.allows_anonymous(it)));
        let apart = config(&format!("per_listener_settings true\n{lines}"));
        let anonymous: Vec<_> = apart.listeners.iter().map(|it| apart.allows_anonymous(it)).collect();
        assert_eq!(anonymous, [true, false]);
        assert_eq!(apart.security_of(&apart.listeners[1]).password_file, Some("p".into()));
        assert_eq!(apart.security.password_file, None);
    }

    #[test]
    fn that_must_be_said_first() {
        let late = error("acl_file a\nper_listener_settings true\n");
        assert!(late.starts_with("m.conf:2: per_listener_settings comes too late"), "{late}");
        assert!(late.contains("m.conf:1"), "{late}");
        assert!(read("acl_file a\nper_listener_settings false\n").is_ok());
    }

    #[test]
    fn text_stands_there_once() {
        assert!(error("acl_file a\nacl_file b\n").contains("the first one is in m.conf:1"));
        let last = config("sys_interval 5\nsys_interval 6\n");
        assert_eq!(last.sys.interval.as_secs(), 6);
        assert!(warnings("sys_interval 5\nsys_interval 6\n")[0].contains("stands twice"));
    }

    #[test]
    fn dynamic_security_is_built_in() {
        let config = config(
            "plugin /usr/lib/mosquitto_dynamic_security.so\nplugin_opt_config_file /var/d.json\n\
             auth_plugin_deny_special_chars false\nlistener 1883\n",
        );
        let plugin = &config.security.plugins[0];
        assert!(plugin.is_dynamic_security() && !plugin.deny_special_chars);
        assert_eq!(plugin.option("config_file"), Some("/var/d.json"));
        assert!(error("plugin mosquitto_dynamic_security.so").contains("plugin_opt_config_file"));
    }

    #[test]
    fn other_plugins_are_refused_with_a_substitute() {
        let why = error("auth_plugin /usr/lib/go-auth.so\nauth_opt_backends redis\n");
        assert!(why.contains("loads no plug-ins made of C") && why.contains("dynamic_security"), "{why}");
        let files = config("plugin mosquitto_password_file.so\nplugin_opt_password_file /etc/pw\n");
        assert_eq!(files.security.password_file, Some("/etc/pw".into()));
        assert!(error("plugin_load a b.so").contains("write plugin FILE"));
        assert!(error("plugin_use a").contains("write plugin FILE"));
        assert!(error("plugin").contains("no value"));
    }

    #[test]
    fn options_need_a_plugin() {
        for line in ["plugin_opt_config_file f", "auth_opt_abc d", "auth_plugin_deny_special_chars true"] {
            assert!(error(line).contains("belongs to a plug-in"), "{line}");
        }
    }

    #[test]
    fn a_plugin_can_be_a_listeners() {
        let config = config(
            "per_listener_settings true\nlistener 1\nplugin mosquitto_dynamic_security.so\n\
             plugin_opt_config_file f\nlistener 2\nallow_anonymous true\n",
        );
        assert_eq!((config.listeners[0].security.plugins.len(), config.security.plugins.len()), (1, 0));
    }
}

mod bridges {
    use super::*;

    fn bridge(lines: &str) -> Bridge {
        config(&format!("connection office\naddress broker\ntopic #\n{lines}")).bridges.remove(0)
    }

    #[test]
    fn a_bridge_is_what_stands_below_connection() {
        let config =
            config("connection a\naddress x:1 y\ntopic t out 1\nconnection b\naddresses z # home\ntopic u\n");
        let names: Vec<_> =
            config.bridges.iter().map(|it| (it.name.as_str(), it.addresses.clone())).collect();
        assert_eq!(names, [("a", vec!["x:1".into(), "y:1883".into()]), ("b", vec!["z:1883".into()])]);
    }

    #[test]
    fn its_keys_are_explained_elsewhere() {
        for key in [
            "cleansession false",
            "address a",
            "topic #",
            "remote_password p",
            "restart_timeout 5",
            "bridge_cafile c",
            "bridge_tcp_keepalive 1 1 1",
            "keepalive_interval 60",
        ] {
            let warnings = warnings(key);
            let name = key.split(' ').next().unwrap();
            assert!(warnings[0].starts_with(&format!("m.conf:1: {name} is ignored: it belongs to a bridge")));
            assert!(warnings[0].contains("connection NAME"), "{warnings:?}");
        }
    }

    #[test]
    fn it_needs_an_address_a_topic_and_a_name_of_its_own() {
        assert!(error("connection a\ntopic #").contains("this bridge has no address"));
        assert!(error("connection a\naddress b").contains("this bridge has no topic"));
        assert!(error("connection").contains("connection has no name"));
        let twice =
            error("connection a\naddress b\ntopic #\nconnection a\naddress b\ntopic #\nlocal_clientid x\n");
        assert!(twice.contains("two bridges called a") && twice.contains("m.conf:1"), "{twice}");
        assert!(error("connection a\naddress b\naddress c\ntopic #").contains("has an address already"));
        assert!(error("connection a\naddress b:0\naddress c\ntopic #").contains("this is no address"));
    }

    #[test]
    fn topics_are_read_as_mosquitto_reads_them() {
        let topic = |pattern: &str, direction, qos, local: &str, remote: &str| BridgeTopic {
            pattern: pattern.to_owned(),
            direction,
            qos,
            local_prefix: local.to_owned(),
            remote_prefix: remote.to_owned(),
        };
        for (line, expected) in [
            ("topic a/#", topic("a/#", Direction::Out, 0, "", "")),
            ("topic a IN", topic("a", Direction::In, 0, "", "")),
            ("topic a both 2", topic("a", Direction::Both, 2, "", "")),
            ("topic a out 1 l/ r/", topic("a", Direction::Out, 1, "l/", "r/")),
            ("topic a out 1 \"\" r/", topic("a", Direction::Out, 1, "", "r/")),
            ("topic a out 1 l/ \"\"", topic("a", Direction::Out, 1, "l/", "")),
            ("topic \"\" out 1 l r", topic("", Direction::Out, 1, "l", "r")),
            ("topic a out 1 # all of it", topic("a", Direction::Out, 1, "", "")),
        ] {
            assert_eq!(bridge(line).topics[1], expected, "{line}");
        }
        for (line, why) in [
            ("topic", "topic has no pattern"),
            ("topic a sideways", "there is no such direction"),
            ("topic a out 3", "there is no such QoS"),
            ("topic a out 0 l/# r", "a prefix has no + and no #"),
            ("topic \"\" out 0 l", "both prefixes are needed"),
            ("topic a/#/b", "no topic filter"),
        ] {
            let error = error(&format!("connection a\naddress b\ntopic #\n{line}"));
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn waiting_is_constant_or_grows() {
        let times = |line: &str| {
            let bridge = bridge(line);
            (bridge.restart_timeout_base.as_secs(), bridge.restart_timeout_cap.as_secs())
        };
        assert_eq!(times(""), (5, 30));
        assert_eq!(times("restart_timeout 20"), (20, 20));
        assert_eq!(times("restart_timeout 10 60"), (10, 60));
        assert_eq!(times("restart_timeout 0"), (1, 1));
        let start = "connection a\naddress b\ntopic #\nrestart_timeout";
        assert!(error(&format!("{start} 10 5")).contains("restart_timeout makes no sense"));
        assert!(error(start).contains("no value"));
    }

    #[test]
    fn what_is_too_low_is_raised() {
        let raised = bridge("keepalive_interval 1\nidle_timeout 0\nthreshold 0\n");
        assert_eq!(
            (raised.keepalive_interval.as_secs(), raised.idle_timeout.as_secs(), raised.threshold),
            (5, 1, 1)
        );
    }

    #[test]
    fn it_has_certificates_or_a_key() {
        let start = "connection a\naddress b\ntopic #\n";
        let both = error(&format!("{start}bridge_cafile c\nbridge_identity i\nbridge_psk 00"));
        assert!(both.contains("certificates and a PSK"));
        assert!(error(&format!("{start}bridge_psk 00")).contains("the identity of the key is missing"));
        assert!(error(&format!("{start}bridge_identity i")).contains("the key of this identity is missing"));
    }

    #[test]
    fn two_bridges_are_two_clients_here() {
        let text = "connection a\naddress b\ntopic #\nlocal_clientid x\nconnection c\naddress b\ntopic #\nremote_clientid ";
        assert!(read(&format!("{text}y")).is_ok());
        let same = text.replace("local_clientid x", "local_clientid local.y");
        assert!(error(&format!("{same}y")).contains("the same local_clientid"));
    }
}

mod files {
    use super::*;

    #[test]
    fn a_folder_is_read_in_order() {
        let loaded = read_files(&[
            ("m.conf", "include_dir d\nlistener 1\nallow_anonymous true"),
            ("d/b.conf", "listener 3\n"),
            ("d/a.conf", "listener 2\nmax_qos 0\n"),
            ("d/c.txt", "rubbish"),
        ])
        .unwrap();
        assert_eq!(ports(&loaded.config), ["2", "3", "1"]);
        assert_eq!(loaded.files, ["m.conf", "d/a.conf", "d/b.conf"].map(PathBuf::from));
    }

    #[test]
    fn each_file_begins_anew() {
        // Below the include, the listener is the main file's again; in a file, it is the default one.
        let loaded = read_files(&[
            ("m.conf", "allow_anonymous true\nlistener 1\ninclude_dir d\nmax_qos 1\n"),
            ("d/a.conf", "max_topic_alias 5\nlistener 2\n"),
        ])
        .unwrap();
        assert_eq!(
            (ports(&loaded.config), loaded.config.listeners[0].qos_max),
            (vec!["1".into(), "2".into()], 1)
        );
        let warning = loaded.reports[0].to_string();
        assert!(warning.starts_with("d/a.conf:1: max_topic_alias does nothing"), "{warning}");
    }

    #[test]
    fn errors_name_the_file_they_are_in() {
        let failure =
            read_files(&[("m.conf", "include_dir d\n"), ("d/a.conf", "\nnonsense 5\n")]).unwrap_err();
        assert!(failure.to_string().starts_with("d/a.conf:2: \"nonsense\""), "{failure}");
        assert!(error("include_dir nowhere").contains("the folder cannot be read"));
        assert!(error("include_dir").contains("include_dir has no value"));
        let inner = read_files(&[("m.conf", "include_dir d\n"), ("d/a.conf", "include_dir e\n")]).unwrap();
        assert!(inner.reports[0].title.contains("include_dir is ignored here"));
    }

    #[test]
    fn bytes_that_are_no_text_are_reported() {
        let files = BTreeMap::from([(PathBuf::from("m.conf"), b"user a\npid_file \xff\n".to_vec())]);
        let failure = read_with(Path::new("m.conf"), &options(Dialect::Mosquitto), &files).unwrap_err();
        assert_eq!(failure.reports[0].line(), Some(2));
        let gone = read_with(Path::new("gone"), &options(Dialect::Mosquitto), &files).unwrap_err();
        assert!(gone.to_string().contains("the file cannot be read"));
    }
}

mod lines {
    use super::*;

    #[test]
    fn windows_and_blanks_do_no_harm() {
        let config = config("  # a comment\r\n\r\n  max_queued_messages   7  \r\nuser  two words \r\n");
        assert_eq!(config.limits.queue_messages_max, Some(7));
        assert_eq!(config.process.user.as_deref(), Some("two words"));
        assert!(warnings("user\tme")[0].contains("a tab stands behind the key"));
    }

    #[test]
    fn numbers_are_read_as_c_does() {
        assert_eq!(config("max_queued_messages 10k").limits.queue_messages_max, Some(10));
        assert!(warnings("max_queued_messages 10k")[0].contains("this counts as 10"));
        assert_eq!(config("max_queued_messages -5").limits.queue_messages_max, None);
        assert_eq!(config("max_inflight_messages 0").limits.in_flight_messages_max, None);
        assert_eq!(config("max_packet_size 0").limits.packet_size_max, None);
        assert!(error("sys_interval 999999999999999999999999999999999999999").contains("out of range"));
    }

    #[test]
    fn a_comment_behind_text_is_a_part_of_it() {
        let loaded = read("persistence_location /var # here\n").unwrap();
        assert_eq!(loaded.config.persistence.location, Some("/var # here".into()));
        assert!(loaded.reports[0].title.contains("belongs to the value"));
        assert!(warnings("sys_interval 5 # here").is_empty());
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let failure = read("lisener 1\nmax_qos 9\nlog_type verbos\n").unwrap_err();
        let lines: Vec<_> = failure.reports.iter().filter_map(martlet_config::Report::line).collect();
        assert!(lines.starts_with(&[1, 2, 3]), "{failure}");
        assert!(failure.to_string().contains("did you mean listener?"), "{failure}");
    }

    #[test]
    fn strict_makes_warnings_fatal() {
        let files = BTreeMap::from([(PathBuf::from("m.conf"), b"store_clean_interval 10\n".to_vec())]);
        let strict = Options { strict: true, ..options(Dialect::Mosquitto) };
        assert!(read_with(Path::new("m.conf"), &strict, &files).is_err());
        let lax = read_with(Path::new("m.conf"), &options(Dialect::Mosquitto), &files).unwrap();
        assert_eq!(lax.reports.len(), 1);
    }

    #[test]
    fn a_key_of_martlet_toml_is_explained() {
        assert!(error("queue_messages_max 5").contains("here it is called max_queued_messages"));
        assert!(error("durability always").contains("martlet.toml knows it as"));
        assert!(error("[listener]").contains("this looks like TOML"));
        assert!(error("port = 1883").contains("port"));
    }
}

mod log {
    use super::*;

    #[test]
    fn destinations_and_types_add_up() {
        let log = config("log_dest stdout\nlog_dest file /a b\nlog_type error\nlog_type debug\n").log;
        assert_eq!(log.destinations, [LogDestination::Stdout, LogDestination::File]);
        assert_eq!(log.file, Some("/a b".into()));
        assert_eq!(log.types, [LogType::Error, LogType::Debug]);
        assert_eq!(config("log_type all").log.types, LogType::ALL);
        assert_eq!(
            config("log_dest stdout\nlog_dest none\nlog_dest topic").log.destinations,
            [LogDestination::Topic]
        );
        assert_eq!(config("log_dest none\nlog_type none").log.destinations, []);
    }

    #[test]
    fn what_is_not_there_has_a_substitute() {
        for line in ["log_dest dlt", "log_dest android"] {
            assert!(error(line).contains("log_dest syslog"), "{line}");
        }
        assert!(error("log_dest file").contains("names no file"));
        assert!(error("log_dest file a\nlog_dest file b").contains("stands twice"));
        assert!(error("log_type warn").contains("warning"));
    }
}

mod other_times {
    use super::*;

    #[test]
    fn obsolete_keys_warn() {
        for key in [
            "store_clean_interval 10",
            "trace_level 1",
            "trace_output x",
            "ffdc_output y",
            "max_log_entries 5",
        ] {
            let warnings = warnings(key);
            assert!(warnings.len() == 1 && warnings[0].contains("does nothing any more"), "{warnings:?}");
        }
    }

    #[test]
    fn resending_is_of_the_first_version() {
        assert!(warnings("retry_interval 20")[0].contains("--dialect mosquitto1"));
        assert_eq!(config("retry_interval 20").behaviour.retry_interval, None);
        let old = |text: &str| {
            let files = BTreeMap::from([(PathBuf::from("m.conf"), text.as_bytes().to_vec())]);
            read_with(Path::new("m.conf"), &options(Dialect::Mosquitto1), &files).unwrap().config
        };
        assert_eq!(old("").behaviour.retry_interval.map(|it| it.as_secs()), Some(20));
        assert_eq!(old("retry_interval 7").behaviour.retry_interval.map(|it| it.as_secs()), Some(7));
    }

    #[test]
    fn the_first_version_lets_everybody_in() {
        let old = |text: &str| {
            let files = BTreeMap::from([(PathBuf::from("m.conf"), text.as_bytes().to_vec())]);
            read_with(Path::new("m.conf"), &options(Dialect::Mosquitto1), &files).unwrap().config
        };
        let open = old("max_connections 5\n");
        assert_eq!((ports(&open), open.listeners[0].connections_max), (vec!["1883".into()], Some(5)));
        assert!(open.allows_anonymous(&open.listeners[0]) && !open.local_only);
        assert_eq!(open.limits.queue_messages_max, Some(100));
        let closed = old("password_file p\n");
        assert!(!closed.allows_anonymous(&closed.listeners[0]));
    }
}
