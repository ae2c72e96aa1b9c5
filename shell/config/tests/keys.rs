//! Every key, one by one: what it takes, what counts without it, and what it refuses.
//!
//! The tables are written by hand, from Mosquitto's manual; a key that has no row here fails the last test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use martlet_config::{Dialect, Failure, Format, Loaded, Options, Severity, keys, read_with, rows};

/// `key | value | path in martlet.toml | as it is shown then | default in Mosquitto's dialect | a value that is wrong`
///
/// `-` stands for nothing: no such path, not set, nothing is wrong.
const GLOBAL: &str = "
per_listener_settings | true | security.per_listener | true | false | yes
global_max_connections | 500 | limits.connections_max | 500 | - | many
global_max_clients | 9 | limits.clients_max | 9 | - | many
max_packet_size | 4096 | limits.packet_size_max | 4096 | - | 19
message_size_limit | 1000 | limits.payload_size_max | 1000 | - | 268435456
max_keepalive | 120 | limits.keep_alive_max | 120 | - | 65536
max_inflight_messages | 7 | limits.in_flight_messages_max | 7 | 20 | 65536
max_inflight_bytes | 70000 | limits.in_flight_bytes_max | 70000 | - | lots
max_queued_messages | 100 | limits.queue_messages_max | 100 | 1000 | all
max_queued_bytes | 5000000000 | limits.queue_bytes_max | 5000000000 | - | all
queue_policy | spill | limits.queue_policy | \"spill\" | \"mosquitto\" | drop
queue_qos0_messages | true | limits.queue_qos0 | true | false | on
memory_limit | 1000000 | limits.memory_max | 1000000 | - | -1
persistent_client_expiration | 2w | limits.session_expiry_max | 1209600 | - | 2x
packet_buffer_size | 1024 | limits.packet_buffer_size | 1024 | 4096 | 65536
websockets_headers_size | 2048 | limits.packet_buffer_size | 2048 | 4096 | -1
retain_available | false | behaviour.retain_available | false | true | no
retain_expiry_interval | 5 | behaviour.retain_expiry_interval | 5 | - | 0
check_retain_source | false | behaviour.check_retain_source | false | true | no
upgrade_outgoing_qos | true | behaviour.upgrade_outgoing_qos | true | false | yes
allow_duplicate_messages | true | behaviour.allow_duplicate_messages | true | false | 2
persistence | true | persistence.enabled | true | false | yes
retained_persistence | 1 | persistence.enabled | true | false | yes
persistence_location | /var/lib/mosquitto/ | persistence.location | \"/var/lib/mosquitto/\" | - | -
persistence_file | old.db | persistence.file | \"old.db\" | \"mosquitto.db\" | -
autosave_interval | 60 | persistence.autosave_interval | 60 | 1800 | often
autosave_on_changes | true | persistence.autosave_on_changes | true | false | yes
log_dest | syslog | log.destinations | [\"syslog\"] | [\"stderr\"] | dlt
log_type | debug | log.types | [\"debug\"] | [\"error\", \"warning\", \"notice\", \"information\"] | verbose
log_timestamp | false | log.timestamp | false | true | off
log_timestamp_format | %H:%M | log.timestamp_format | \"%H:%M\" | - | -
connection_messages | false | log.connection_messages | false | true | off
log_facility | 5 | log.facility | 5 | - | 8
websockets_log_level | 7 | log.websockets_level | 7 | 0 | all
sys_interval | 0 | sys.interval | 0 | 10 | 65536
enable_control_api | true | sys.control_api | true | false | yes
set_tcp_nodelay | true | tcp.no_delay | true | false | yes
user | nobody | process.user | \"nobody\" | \"mosquitto\" | -
pid_file | /run/m.pid | process.pid_file | \"/run/m.pid\" | - | -
allow_anonymous | true | security.allow_anonymous | true | - | maybe
password_file | /etc/mosquitto/passwd | security.password_file | \"/etc/mosquitto/passwd\" | - | -
acl_file | /etc/mosquitto/acl | security.acl_file | \"/etc/mosquitto/acl\" | - | -
psk_file | /etc/mosquitto/psk | security.psk_file | \"/etc/mosquitto/psk\" | - | -
allow_zero_length_clientid | false | security.allow_zero_length_clientid | false | true | no
auto_id_prefix | gen- | security.auto_id_prefix | \"gen-\" | \"auto-\" | -
clientid_prefixes | secure- | security.clientid_prefixes | \"secure-\" | - | -
";

/// The same below a line `listener 1884`; the path is the one within it.
const LISTENER: &str = "
socket_domain | ipv6 | family | \"ipv6\" | - | ipx
bind_interface | lo | bind_interface | \"lo\" | - | -
protocol | websockets | protocol | \"websockets\" | \"mqtt\" | mqttsn
accept_protocol_versions | 5,4 | accept_versions | [\"3.1.1\", \"5.0\"] | [] | 6
max_connections | 10 | connections_max | 10 | - | few
max_qos | 1 | qos_max | 1 | 2 | 3
maximum_qos | 0 | qos_max | 0 | 2 | -1
max_topic_alias | 0 | topic_alias_max | 0 | 10 | 65536
max_topic_alias_broker | 5 | topic_alias_sent_max | 5 | - | 65536
mount_point | site/7/ | mount_point | \"site/7/\" | - | site/#
use_username_as_clientid | true | use_username_as_clientid | true | false | yes
listener_allow_anonymous | false | allow_anonymous | false | - | no
listener_auto_id_prefix | x- | auto_id_prefix | \"x-\" | - | -
enable_proxy_protocol | 2 | proxy.protocol | \"v2\" | \"off\" | 3
proxy_protocol_v2_require_tls | true | proxy.require_tls | true | false | yes
websockets_origin | http://a:80 | websocket.origins | [\"http://a:80\"] | [] | -
http_dir | /srv/www | websocket.http_dir | \"/srv/www\" | - | -
certfile | s.crt | tls.certfile | \"s.crt\" | - | -
keyfile | s.key | tls.keyfile | \"s.key\" | - | -
cafile | ca.crt | tls.cafile | \"ca.crt\" | - | -
capath | /etc/ssl/certs | tls.capath | \"/etc/ssl/certs\" | - | -
crlfile | r.crl | tls.crlfile | \"r.crl\" | - | -
require_certificate | true | tls.require_certificate | true | false | yes
use_identity_as_username | true | tls.use_identity_as_username | true | false | yes
use_subject_as_username | true | tls.use_subject_as_username | true | false | yes
disable_client_cert_date_checks | true | tls.disable_client_cert_date_checks | true | false | yes
tls_version | tlsv1.3 | tls.version_min | \"tlsv1.3\" | - | sslv3
ciphers | ECDHE-RSA-AES128-GCM-SHA256 | tls.ciphers | \"ECDHE-RSA-AES128-GCM-SHA256\" | - | -
ciphers_tls1.3 | TLS_AES_128_GCM_SHA256 | tls.ciphers_tls13 | \"TLS_AES_128_GCM_SHA256\" | - | -
dhparamfile | dh.pem | tls.dhparamfile | \"dh.pem\" | - | -
psk_hint | here | tls.psk_hint | \"here\" | - | -
";

/// The same below a line `connection office`.
const BRIDGE: &str = "
bridge_protocol_version | mqttv50 | protocol_version | \"mqttv50\" | \"mqttv311\" | mqttv5
remote_clientid | me | remote_clientid | \"me\" | - | -
clientid | me | remote_clientid | \"me\" | - | -
remote_username | me | remote_username | \"me\" | - | -
username | me | remote_username | \"me\" | - | -
remote_password | hush | remote_password | *** | - | -
password | hush | remote_password | *** | - | -
local_clientid | me | local_clientid | \"me\" | - | -
local_username | me | local_username | \"me\" | - | -
local_password | hush | local_password | *** | - | -
cleansession | true | cleansession | true | false | no
local_cleansession | true | local_cleansession | true | - | no
keepalive_interval | 30 | keepalive_interval | 30 | 60 | 65536
start_type | lazy | start_type | \"lazy\" | \"automatic\" | manual
idle_timeout | 10 | idle_timeout | 10 | 60 | none
threshold | 3 | threshold | 3 | 10 | none
round_robin | true | round_robin | true | false | yes
try_private | false | try_private | false | true | no
bridge_attempt_unsubscribe | false | attempt_unsubscribe | false | true | no
notifications | false | notifications | false | true | no
notifications_local_only | true | notifications_local_only | true | false | yes
notification_topic | b/state | notification_topic | \"b/state\" | - | -
bridge_outgoing_retain | false | outgoing_retain | false | true | no
bridge_max_packet_size | 900 | packet_size_max | 900 | - | big
bridge_receive_maximum | 5 | receive_maximum | 5 | 20 | 0
bridge_max_topic_alias | 0 | topic_alias_max | 0 | 10 | 65536
bridge_session_expiry_interval | 60 | session_expiry_interval | 60 | 0 | -1
bridge_reload_type | immediate | reload_type | \"immediate\" | \"lazy\" | never
bridge_bind_address | 10.0.0.9 | bind_address | \"10.0.0.9\" | - | -
bridge_tcp_keepalive | 60 10 3 | tcp_keepalive | [\"60\", \"10\", \"3\"] | [] | 60 10
bridge_tcp_user_timeout | 5000 | tcp_user_timeout | 5000 | - | -1
bridge_cafile | ca.crt | tls_cafile | \"ca.crt\" | - | -
bridge_capath | certs | tls_capath | \"certs\" | - | -
bridge_tls_use_os_certs | true | tls_use_os_certs | true | false | yes
bridge_certfile | c.crt | tls_certfile | \"c.crt\" | - | -
bridge_keyfile | c.key | tls_keyfile | \"c.key\" | - | -
bridge_insecure | true | tls_insecure | true | false | yes
bridge_require_ocsp | true | tls_require_ocsp | true | false | yes
bridge_alpn | mqtt | tls_alpn | \"mqtt\" | - | -
bridge_tls_version | tlsv1.2 | tls_version | \"tlsv1.2\" | - | tls1.2
bridge_ciphers | AES128-SHA | tls_ciphers | \"AES128-SHA\" | - | -
bridge_ciphers_tls1.3 | TLS_AES_128_GCM_SHA256 | tls_ciphers_tls13 | \"TLS_AES_128_GCM_SHA256\" | - | -
bridge_identity | me | psk_identity | \"me\" | - | -
bridge_psk | deadbeef | psk | *** | - | -
";

/// Keys of `martlet.toml` alone: `path | value | default in the native dialect`
const NATIVE: &str = "
dialect | \"native\" | \"native\"
limits.connect_timeout | 3 | 10
limits.queue_memory_max | 65536 | -
limits.queue_quota_messages | 5 | -
limits.queue_quota_bytes | 5 | -
limits.default_session_expiry | 60 | 7200
behaviour.shared_strategy | \"sticky\" | \"round_robin\"
behaviour.taking_is_life | true | false
persistence.durability | \"interval\" | \"always\"
persistence.topic_durability | [\"a/#=never\"] | []
persistence.sync_interval | 50 | 100
persistence.checkpoint_interval | 5 | -
persistence.disk_max | 1000000000 | -
persistence.disk_free_min | 0 | -
persistence.segment_size | 4096 | -
persistence.allow_network_folder | true | false
log.file | \"a.log\" | -
tcp.backlog | 5 | 1024
tcp.keep_alive_idle | 60 | 120
tcp.keep_alive_interval | 5 | 30
tcp.keep_alive_count | 9 | 4
tcp.user_timeout | 7 | -
process.runners | 2 | -
security.deny_subscribe | [\"#\"] | []
security.deny_publish | [\"cmd/#\"] | []
security.conceal_denials | true | false
listener.durability | \"never\" | -
listener.proxy.trusted | [\"10.0.0.0/8\"] | []
listener.websocket.paths | [\"/mqtt\"] | []
bridge.restart_timeout_base | 7 | 5
bridge.restart_timeout_cap | 90 | 30
";

/// Keys with words of their own, which other tests are about; so are those of other times.
const ELSEWHERE: [&str; 22] = [
    "port", // tests/mosquitto.rs, all of these
    "bind_address",
    "listener",
    "include_dir",
    "plugin",
    "plugin_opt_",
    "auth_plugin_deny_special_chars",
    "connection",
    "address",
    "topic",
    "restart_timeout",
    "tls_keyform",
    "retry_interval",
    "store_clean_interval",
    "trace_level",
    "trace_output",
    "ffdc_output",
    "max_log_entries",
    "tls_engine",
    "tls_engine_kpass_sha1",
    "plugin_load",
    "plugin_use",
];

struct Case {
    key: &'static str,
    value: &'static str,
    path: String,
    shown: &'static str,
    default: &'static str,
    wrong: Option<&'static str>,
    /// What stands above it.
    above: &'static str,
}

fn cases() -> Vec<Case> {
    let tables = [
        (GLOBAL, "", ""),
        (LISTENER, "listener 1884\n", "listener[1884]."),
        (BRIDGE, "connection office\naddress a\ntopic #\n", "bridge[office]."),
    ];
    let mut cases = Vec::new();
    for (table, above, place) in tables {
        for row in table.lines().filter(|row| !row.is_empty()) {
            let cells: Vec<_> = row.split(" | ").collect();
            let [key, value, path, shown, default, wrong] = cells[..] else { panic!("{row}") };
            cases.push(Case {
                key,
                value,
                path: format!("{place}{path}"),
                shown,
                default: if default == "-" { "" } else { default },
                wrong: (wrong != "-").then_some(wrong),
                above,
            });
        }
    }
    cases
}

fn read(text: &str, format: Format, dialect: Dialect) -> Result<Loaded, Failure> {
    let files = BTreeMap::from([(PathBuf::from("a"), text.as_bytes().to_vec())]);
    let options = Options { dialect: Some(dialect), format: Some(format), strict: false };
    read_with(Path::new("a"), &options, &files)
}

fn conf(text: &str) -> Result<Loaded, Failure> {
    read(text, Format::Mosquitto, Dialect::Mosquitto)
}

/// What is in force at a path, whatever else is wrong with the file.
fn shown(loaded: &Loaded, path: &str) -> (String, Option<u32>) {
    let rows = rows(&loaded.config, &loaded.origins);
    let row = rows.iter().find(|row| row.path == path).unwrap_or_else(|| panic!("no row {path}"));
    (row.value.clone(), row.origin.as_ref().map(|origin| origin.line))
}

/// What makes a line usable that needs others.
fn beside(key: &str) -> &'static str {
    match key {
        "certfile" => "\nkeyfile k",
        "keyfile" => "\ncertfile c",
        "bridge_psk" => "\nbridge_identity i",
        "bridge_identity" => "\nbridge_psk 00",
        _ => "",
    }
}

#[test]
fn every_key_is_read() {
    for Case { key, value, path, shown: expected, above, .. } in cases() {
        let text = format!("{above}{key} {value}{}", beside(key));
        let loaded = conf(&text).unwrap_or_else(|failure| panic!("{text}\n{}", failure.render(false)));
        let line = u32::try_from(above.lines().count()).unwrap() + 1;
        assert_eq!(shown(&loaded, &path), (expected.to_owned(), Some(line)), "{text}");
    }
}

#[test]
fn every_key_has_mosquittos_default() {
    for Case { key, path, default, above, .. } in cases() {
        let loaded = conf(above).unwrap();
        assert_eq!(shown(&loaded, &path), (default.to_owned(), None), "{key}");
    }
}

#[test]
fn every_wrong_value_is_reported_at_its_line() {
    for Case { key, wrong, above, .. } in cases() {
        let Some(wrong) = wrong else { continue };
        let text = format!("{above}{key} {wrong}");
        let reports = match conf(&text) {
            Ok(loaded) => loaded.reports,
            Err(failure) => failure.reports,
        };
        let line = u32::try_from(above.lines().count()).unwrap() + 1;
        let about = reports.iter().find(|report| report.line() == Some(line));
        let about = about.unwrap_or_else(|| panic!("{text}: nobody complains"));
        assert!(!about.why.is_empty() && about.fix.is_some(), "{about}");
    }
}

#[test]
fn every_key_without_a_value_is_reported() {
    for Case { key, above, .. } in cases() {
        let text = format!("{above}{key}");
        let reports = match conf(&text) {
            Ok(loaded) => loaded.reports,
            Err(failure) => failure.reports,
        };
        assert!(reports.iter().any(|report| report.title.contains("no value")), "{text}: {reports:?}");
    }
}

/// A path with its value as TOML, in the table it belongs to, with what must stand beside it.
fn toml(path: &str, value: &str) -> String {
    let value = if value == "***" { "\"00\"" } else { value };
    let beside = match path.rsplit('.').next() {
        Some("certfile") => "tls.keyfile = \"k\"\n",
        Some("keyfile") => "tls.certfile = \"c\"\n",
        Some("psk") => "psk_identity = \"i\"\n",
        Some("psk_identity") => "psk = \"00\"\n",
        _ => "",
    };
    let inside = |name: &str| path.strip_prefix(name).and_then(|rest| rest.split_once("]."));
    if let Some((_, rest)) = inside("listener[") {
        format!("[[listener]]\nport = 1884\n{beside}{rest} = {value}\n")
    } else if let Some((_, rest)) = inside("bridge[") {
        let topic = "[[bridge.topic]]\npattern = \"#\"\n";
        format!("[[bridge]]\nname = \"office\"\naddresses = [\"a\"]\n{beside}{rest} = {value}\n{topic}")
    } else {
        format!("{path} = {value}\n")
    }
}

fn native_cases() -> Vec<(String, &'static str, &'static str)> {
    let rows = NATIVE.lines().filter(|row| !row.is_empty()).map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        let [path, value, default] = cells[..] else { panic!("{row}") };
        let path = path.replace("listener.", "listener[1884].").replace("bridge.", "bridge[office].");
        (path, value, if default == "-" { "" } else { default })
    });
    rows.collect()
}

#[test]
fn every_path_is_read_from_toml() {
    let shared = cases().into_iter().map(|case| (case.path, case.shown));
    let native = native_cases().into_iter().map(|(path, value, _)| (path, value));
    for (path, value) in shared.chain(native) {
        let text = toml(&path, value);
        let loaded = read(&text, Format::Native, Dialect::Native);
        let loaded = loaded.unwrap_or_else(|failure| panic!("{text}\n{}", failure.render(false)));
        let (read, line) = shown(&loaded, &path);
        assert_eq!(read, value, "{text}");
        assert!(line.is_some(), "{text} has no origin");
    }
}

#[test]
fn native_keys_have_their_defaults() {
    let place = toml("listener[1884].qos_max", "2") + &toml("bridge[office].threshold", "10");
    let loaded = read(&place, Format::Native, Dialect::Native).unwrap();
    for (path, _, default) in native_cases() {
        assert_eq!(shown(&loaded, &path), (default.to_owned(), None), "{path}");
    }
}

#[test]
fn no_path_takes_a_value_of_another_type() {
    let shared = cases().into_iter().map(|case| case.path);
    for path in shared.chain(native_cases().into_iter().map(|(path, ..)| path)) {
        for wrong in ["1.5", "[[1]]", "1979-05-27"] {
            let text = toml(&path, wrong);
            let failure = read(&text, Format::Native, Dialect::Native).expect_err(&text);
            let about = &failure.reports[0];
            assert_eq!(about.severity, Severity::Error);
            assert!(!about.why.is_empty() && about.fix.is_some(), "{about}");
        }
    }
}

#[test]
fn every_key_has_its_row() {
    let by_name: BTreeSet<_> = cases().iter().map(|case| case.key).chain(ELSEWHERE).collect();
    let paths = cases().into_iter().map(|case| case.path);
    let paths: BTreeSet<_> = paths.chain(native_cases().into_iter().map(|it| it.0)).collect();
    for key in keys() {
        assert!(key.name.is_empty() || by_name.contains(key.name), "{} has no row", key.name);
        let path =
            key.full_path().replace("listener.", "listener[1884].").replace("bridge.", "bridge[office].");
        let is_address = ["listener[1884].port", "listener[1884].host", "listener[1884].unix_socket"];
        let is_elsewhere =
            is_address.contains(&&*path) || path == "behaviour.retry_interval" || path.is_empty();
        assert!(is_elsewhere || paths.contains(&path), "{path} has no row");
    }
}
