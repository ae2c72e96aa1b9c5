"""Client ids drawn at random until they collide, on `V2X.RSU.RSM.UP2`, QoS 2, retained: HOST PORT VERSION (311 or 5).

First two publishers and a subscriber that draw a new id whenever theirs is taken, as a person does who starts the
script again. Then two clients that insist on the same id, as paho does by itself.
"""

import queue
import random
import sys
import time

from paho_peer import TIMEOUT, Peer, code, label, mqtt, new_client
from report import check, client, expect, figure

HOST, PORT, VERSION = sys.argv[1], int(sys.argv[2]), sys.argv[3]
TOPIC = "V2X.RSU.RSM.UP2"
# With this seed the draws are: subscriber, a, b = a, a again = subscriber, subscriber again; the last differs.
SEED = 79356
SESSION_TAKEN_OVER = 0x8E  # [MQTT-3.1.4-3]
CONNECTION_LOST = (7, 128)  # what paho 1.6 and 2.x say when the server just closes
FIGHT_SECONDS = 6

draws = random.Random(SEED)
reasons = []  # why each connection that was taken over ended, as its owner learned it


def draw():
    return f"python-mqtt-{draws.randint(0, 1000)}"


class Program:
    """One run of the script after the other; each run has a newly drawn id."""

    def __init__(self, role, subscribes=False):
        self.role = role
        self.subscribes = subscribes
        self.messages = queue.Queue()
        self.started = queue.Queue()
        self.ended = queue.Queue()
        self.runs = 0

    def start(self):
        self.runs += 1
        self.name = draw()
        self.paho = new_client(self.name, VERSION)
        self.paho.reconnect_delay_set(60, 60)  # the script is started again, the library does not do it
        self.paho.on_connect = self.connected
        self.paho.on_subscribe = lambda *rest: self.started.put("subscribed")
        self.paho.on_disconnect = lambda paho, userdata, *rest: self.ended.put(disconnect_reason(rest))
        self.paho.on_message = lambda paho, userdata, message: self.messages.put(message)
        self.paho.connect(HOST, PORT)
        self.paho.loop_start()
        self.started.get(timeout=TIMEOUT)

    def connected(self, paho, userdata, flags, reason, *rest):
        if self.subscribes:
            paho.subscribe(TOPIC, 2)
        else:
            self.started.put(code(reason))

    def expect_taken_over(self):
        reasons.append(self.ended.get(timeout=TIMEOUT))
        self.stop()

    def stop(self):
        self.paho.disconnect()
        self.paho.loop_stop()

    def publish(self, payload):
        self.paho.publish(TOPIC, payload, qos=2, retain=True).wait_for_publish(TIMEOUT)


def disconnect_reason(arguments):
    """The code among the arguments of `on_disconnect`: first in 1.6, after the flags in 2.x."""
    position = 1 if hasattr(mqtt, "CallbackAPIVersion") else 0
    return code(arguments[position])


def drawn_ids():
    subscriber, a, b = Program("subscriber", subscribes=True), Program("a"), Program("b")
    everybody = (subscriber, a, b)
    with check("publishers collide"):
        subscriber.start()
        a.start()
        b.start()
        expect(b.name, a.name, "id that the seed draws twice")
        a.expect_taken_over()
    with check("publisher and subscriber collide"):
        a.start()
        expect(a.name, subscriber.name, "id that the seed draws twice")
        subscriber.expect_taken_over()
        subscriber.start()
    with check("all three work"):
        sent = [f"{one.role} {number}" for number in range(20) for one in (a, b)]
        for text in sent:
            (a if text.startswith("a") else b).publish(text)
        received = [subscriber.messages.get(timeout=TIMEOUT) for _ in sent]
        expect([message.payload.decode() for message in received], sent)
        expect({(message.topic, message.qos, message.retain) for message in received}, {(TOPIC, 2, 0)})
    with check("retained"), Peer(HOST, PORT, "late", VERSION) as late:
        late.subscribe(TOPIC)
        message = late.next()
        expect((message.payload.decode(), message.qos, message.retain), (sent[-1], 2, 1))
    with check("no reconnect loop"):
        expect([one.ended.qsize() for one in everybody], [0, 0, 0], "connections lost since")
        expect([one.runs for one in everybody], [2, 2, 1], "runs")
    for one in everybody:
        one.stop()


def fight():
    """Two clients re-connect with one id; each time the other one is put out. A third party must not notice."""
    losses = queue.Queue()
    fighters = [new_client("python-mqtt-1001", VERSION) for _ in range(2)]
    with Peer(HOST, PORT, "bystander", VERSION) as bystander:
        bystander.subscribe("V2X.bystander")
        with check("two clients insist on one id"):
            for each in fighters:
                each.on_disconnect = lambda paho, userdata, *rest: losses.put(disconnect_reason(rest))
                each.connect(HOST, PORT)
                each.loop_start()
            sent = 0
            end = time.monotonic() + FIGHT_SECONDS
            while time.monotonic() < end:
                bystander.publish("V2X.bystander", str(sent), 2)
                sent += 1
                time.sleep(0.02)
            takeovers = losses.qsize()
            figure("take-overs", takeovers)
            reasons.extend(losses.get() for _ in range(takeovers))
            # paho waits a second before it comes back.
            expect(2 <= takeovers <= 2 * FIGHT_SECONDS, True, f"{takeovers} take-overs")
        with check("a third party gets everything"):
            received = [int(bystander.next().payload) for _ in range(sent)]
            expect(received, list(range(sent)))
    with check("the fight ends when one gives up"):
        fighters[0].disconnect()
        fighters[0].loop_stop()
        deadline = time.monotonic() + TIMEOUT
        # It may have been put out by the other's last blow without having heard of it: paho comes back by itself.
        while not answered(fighters[1]):
            expect(time.monotonic() < deadline, True, "the other one comes back in time")
            time.sleep(0.05)
        expect(fighters[1].is_connected(), True, "the other one is connected")
    fighters[1].disconnect()
    fighters[1].loop_stop()


def answered(paho):
    """Does the broker take a message from this client now?"""
    try:
        message = paho.publish(TOPIC, "still here", qos=2)
        message.wait_for_publish(1)
        return message.is_published()
    except (RuntimeError, ValueError):
        return False


client(label(VERSION))
drawn_ids()
fight()
with check("the reason of a take-over"):
    expect(set(reasons) <= ({SESSION_TAKEN_OVER} if VERSION == "5" else set(CONNECTION_LOST)), True,
           f"reasons {sorted(set(reasons))} are the wanted ones")
