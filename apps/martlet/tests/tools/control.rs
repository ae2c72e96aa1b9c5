//! `mosquitto_ctrl dynsec`, beside Debian's, each with a broker of Debian's with dynamic security.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{Tools, done};

const BROKER: &str = "/usr/sbin/mosquitto";
const PLUGIN: &str = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so";

/// A life with dynamic security; every command answers something different from the one before.
const LIFE: &[&str] = &[
    "createRole r1",
    "createRole r1",
    "addRoleACL r1 publishClientSend a/# allow 5",
    "addRoleACL r1 subscribePattern b/# deny",
    "getRole r1",
    "listRoles",
    "createGroup g1",
    "addGroupRole g1 r1 3",
    "createClient bob -p pw -c cid",
    "addClientRole bob r1 7",
    "addGroupClient g1 bob 2",
    "getClient bob",
    "getGroup g1",
    "listClients",
    "listGroups",
    "listClients 1 1",
    "disableClient bob",
    "getClient bob",
    "enableClient bob",
    "setClientId bob other",
    "getClient bob",
    "setClientPassword bob x",
    "getDefaultACLAccess",
    "setAnonymousGroup g1",
    "getAnonymousGroup",
    "removeRoleACL r1 publishClientSend a/#",
    "removeGroupClient g1 bob",
    "removeGroupRole g1 r1",
    "removeClientRole bob r1",
    "getClient bob",
    "getGroup g1",
    "getRole r1",
    "deleteClient bob",
    "deleteRole r1",
    "deleteRole r1",
    "nonsense",
];

/// A broker of Debian's that ends with the test.
struct Broker {
    child: Child,
    port: u16,
}

impl Broker {
    fn start(tools: &Tools, name: &str, rules: &Path) -> Self {
        // Free a moment ago; nobody else here takes ports by their number.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\nplugin {PLUGIN}\nplugin_opt_config_file {}\nuser root\n",
            rules.display()
        );
        let conf = tools.file(&format!("{name}.conf"), &text);
        let mut child = Command::new(BROKER).arg("-c").arg(conf).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        lines.find(|line| line.ends_with("running")).expect("the broker starts");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Whatever it still does, it is done with.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[test]
fn a_life_with_dynamic_security_looks_the_same() {
    let tools = Tools::new();
    if !Path::new(BROKER).exists() || !Path::new(PLUGIN).exists() || tools.debians("mosquitto_ctrl").is_none()
    {
        eprintln!("skipped: {BROKER} with {PLUGIN} is not installed");
        return;
    }
    let tool = |is_ours: bool| {
        if is_ours { tools.tool("mosquitto_ctrl") } else { tools.debians("mosquitto_ctrl").unwrap() }
    };
    let lives = [true, false].map(|is_ours| {
        let name = if is_ours { "ours" } else { "theirs" };
        let rules = tools.folder().join(format!("{name}.json"));
        let made = tool(is_ours).args(["dynsec", "init"]).arg(&rules).args(["admin", "pw"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let broker = Broker::start(&tools, name, &rules);
        let port = broker.port.to_string();
        LIFE.iter()
            .map(|line| {
                let mut command = tool(is_ours);
                command.args(["-h", "127.0.0.1", "-p", &port, "-u", "admin", "-P", "pw", "dynsec"]);
                done(command.args(line.split(' ')).output().unwrap())
            })
            .collect::<Vec<_>>()
    });
    let [ours, theirs] = lives;
    for ((line, ours), theirs) in LIFE.iter().zip(ours).zip(theirs) {
        assert_eq!(ours, theirs, "{line}");
    }
}
