"""User `admin` with a password on topic `fifa`, QoS 1, keep alive 600, `loop_forever`: HOST PORT."""

import queue
import sys
import threading

from paho_peer import TIMEOUT, code, label, new_client
from report import check, client, expect

HOST, PORT = sys.argv[1], int(sys.argv[2])
TOPIC = "fifa"


class Program:
    """A subscriber as people write it: everything in callbacks, then `loop_forever`."""

    def __init__(self):
        self.events = queue.Queue()
        self.paho = new_client("", "311")
        self.paho.username_pw_set("admin", "123456")
        self.paho.on_connect = self.connected
        self.paho.on_subscribe = lambda *rest: self.events.put("subscribed")
        self.paho.on_message = lambda paho, userdata, message: self.events.put((message.payload, message.qos))
        self.paho.on_disconnect = lambda *rest: self.events.put("disconnected")

    def connected(self, paho, userdata, flags, reason, *rest):
        self.events.put(("connected", code(reason)))
        paho.subscribe(TOPIC, qos=1)

    def run(self):
        self.paho.connect(HOST, PORT, 600)
        self.paho.loop_forever()

    def next(self):
        return self.events.get(timeout=TIMEOUT)


client(label("311"))
program = Program()
thread = threading.Thread(target=program.run, daemon=True)
thread.start()
with check("connect with user and password"):
    expect(program.next(), ("connected", 0))
    expect(program.next(), "subscribed")
with check("publish and receive"):
    for number in range(10):
        program.paho.publish(TOPIC, f"match {number}", qos=1)
        expect(program.next(), (b"match %d" % number, 1))
with check("disconnect"):
    program.paho.disconnect()
    expect(program.next(), "disconnected")
    thread.join(TIMEOUT)
    expect(thread.is_alive(), False, "loop_forever still runs")
