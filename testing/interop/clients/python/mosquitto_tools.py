"""Everyday use of mosquitto_pub, mosquitto_sub and mosquitto_rr: HOST PORT VERSION (31, 311 or 5)."""

import contextlib
import re
import subprocess
import sys
import time

from report import check, client, expect

HOST, PORT, VERSION = sys.argv[1:]
TIMEOUT = 10
SERVER = ["-h", HOST, "-p", PORT, "-V", f"mqttv{VERSION}"]


def tool(name, *arguments):
    """Runs a tool to its end; answers what it printed."""
    command = [f"mosquitto_{name}", *SERVER, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT)
    expect(done.returncode, 0, f"exit status of {' '.join(command)}")
    return done.stdout


def publish(*arguments):
    tool("pub", *arguments)


@contextlib.contextmanager
def subscribed(*arguments):
    """A running mosquitto_sub whose subscription stands; it is killed at the end."""
    # stdbuf, for the tools do not flush what they say about themselves.
    command = ["stdbuf", "-oL", "mosquitto_sub", *SERVER, "-d", "-W", str(TIMEOUT), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            granted = None
            while granted is None:
                line = process.stdout.readline()
                expect(line != "", True, f"{' '.join(command)} still runs")
                granted = re.match(r"Subscribed \(mid: \d+\): (.*)", line)
            process.granted = granted[1].strip()
            yield process
        finally:
            process.kill()


def messages(process, count):
    """The next messages, without what the tool says about itself."""
    result = []
    while len(result) < count:
        line = process.stdout.readline()
        expect(line != "", True, f"message {len(result) + 1} of {count} came")
        if line.startswith("> "):
            result.append(line[2:].rstrip("\n"))
    return result


def everyday():
    with check("connect"):
        publish("-t", "everyday/connect", "-n")
    with check("subscribe"):
        for qos in "012":
            with subscribed("-t", f"everyday/subscribe/{qos}", "-q", qos) as process:
                expect(process.granted, qos, "granted QoS")
    for qos in "012":
        with check(f"echo QoS {qos}"):
            topic = f"everyday/echo/{qos}"
            with subscribed("-t", "everyday/echo/+", "-q", "2", "-F", "> %t %q %r %p") as process:
                for number in range(5):
                    publish("-t", topic, "-q", qos, "-m", str(number))
                expect(messages(process, 5), [f"{topic} {qos} 0 {number}" for number in range(5)])
    with check("many lines"):
        with subscribed("-t", "everyday/lines", "-q", "1", "-F", "> %p") as process:
            lines = [str(number) for number in range(1000)]
            command = ["mosquitto_pub", *SERVER, "-t", "everyday/lines", "-q", "1", "-l"]
            subprocess.run(command, input="\n".join(lines), text=True, timeout=TIMEOUT, check=True)
            expect(messages(process, len(lines)), lines)
    with check("retained"):
        retained()
    with check("will"):
        will()
    with check("persistent session"):
        persistent_session()


def retained():
    topic = ["-t", "everyday/retained"]
    publish(*topic, "-q", "1", "-r", "-m", "kept")
    expect(tool("sub", *topic, "-C", "1", "-W", str(TIMEOUT), "-F", "%r %p"), "1 kept\n")
    publish(*topic, "-r", "-n")
    with subscribed(*topic, "-F", "> %r %p") as process:
        publish(*topic, "-m", "live")
        expect(messages(process, 1), ["0 live"], "first message after clearing")


def will():
    with subscribed("-t", "everyday/will", "-q", "1", "-F", "> %q %p") as heir:
        owner = ["--will-topic", "everyday/will", "--will-payload", "gone", "--will-qos", "1"]
        with subscribed("-t", "everyday/nothing", *owner):
            pass  # killed here
        expect(messages(heir, 1), ["1 gone"])


def persistent_session():
    mine = ["-i", "mosquitto-persistent", "-c", "-t", "everyday/persistent", "-q", "2"]
    tool("sub", *mine, "-E")
    for qos in "12":
        publish("-t", "everyday/persistent", "-q", qos, "-m", f"while away, QoS {qos}")
    received = tool("sub", *mine, "-C", "2", "-W", str(TIMEOUT), "-F", "%q %p")
    expect(received, "1 while away, QoS 1\n2 while away, QoS 2\n")


def version_5():
    with check("user properties"):
        with subscribed("-t", "everyday/properties", "-F", "> %P|%C") as process:
            given = ["user-property", "colour", "blue"], ["user-property", "size", "10"], ["content-type", "text/plain"]
            publish("-t", "everyday/properties", "-m", "x", *option("publish", *given))
            expect(messages(process, 1), ["colour:blue size:10|text/plain"])
    with check("request and response"):
        request_and_response()
    with check("message expiry"):
        for topic, seconds in (("soon", "1"), ("late", "100")):
            expires = option("publish", ["message-expiry-interval", seconds])
            publish("-t", f"everyday/expiry/{topic}", "-q", "1", "-r", "-m", topic, *expires)
        time.sleep(2.2)  # the time the message may live
        with subscribed("-t", "everyday/expiry/#", "-F", "> %p %E") as process:
            publish("-t", "everyday/expiry/end", "-m", "end")
            seen = messages(process, 2)
        expect(seen[0] in ("late 97", "late 98"), True, f"{seen[0]!r} is the late one, less by 2 s")
        expect(seen[1].split(), ["end"], "no other retained message")
        publish("-t", "everyday/expiry/late", "-r", "-n")
    with check("topic alias"):
        with subscribed("-t", "everyday/alias", "-F", "> %t %p") as process:
            publish("-t", "everyday/alias", "-m", "x", "--repeat", "3", *option("publish", ["topic-alias", "1"]))
            expect(messages(process, 3), ["everyday/alias x"] * 3)
    with check("shared subscription"):
        shared = ["-t", "$share/group/everyday/shared", "-q", "1", "-F", "> %p"]
        with subscribed(*shared) as a, subscribed(*shared) as b:
            for number in range(10):
                publish("-t", "everyday/shared", "-q", "1", "-m", str(number))
            # Each is given five by turns; if not, one waits in vain and says so.
            received = messages(a, 5) + messages(b, 5)
        expect(sorted(received), [str(number) for number in range(10)], "each message once")
    with check("subscription identifier"):
        identified = option("subscribe", ["subscription-identifier", "77"])
        with subscribed("-t", "everyday/identifier", "-F", "> %S", *identified) as process:
            publish("-t", "everyday/identifier", "-m", "x")
            expect(messages(process, 1), ["77"])


def request_and_response():
    """mosquitto_rr subscribes, asks, and prints the answer that comes where it wants it."""
    token = option("publish", ["correlation-data", "token"])
    asks = ["mosquitto_rr", *SERVER, "-t", "everyday/request", "-e", "everyday/response", "-m", "?", "-F", "%p %D"]
    with subscribed("-t", "everyday/request", "-F", "> %p %R %D") as process:
        with subprocess.Popen([*asks, *token], stdout=subprocess.PIPE, text=True) as asking:
            expect(messages(process, 1), ["? everyday/response token"])
            publish("-t", "everyday/response", "-m", "!", *token)
            expect(asking.communicate(timeout=TIMEOUT)[0], "! token\n")


def option(packet, *properties):
    return [word for each in properties for word in ("-D", packet, *each)]


help_text = subprocess.run(["mosquitto_sub", "--help"], stdout=subprocess.PIPE, text=True).stdout
version = re.search(r"mosquitto_sub version (\S+)", help_text)[1]
client(f"mosquitto_pub/sub {version}, MQTT {({'31': '3.1', '311': '3.1.1', '5': '5.0'})[VERSION]}")
everyday()
if VERSION == "5":
    version_5()
