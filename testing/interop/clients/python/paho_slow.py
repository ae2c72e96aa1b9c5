"""A subscriber that sleeps in its callback while 10,000 QoS 2 messages arrive: HOST PORT whole|limited.

`whole`: the broker's limits hold the backlog, nothing may be missing. `limited`: the broker may drop, but must say
exactly how many in `$SYS/broker/publish/messages/dropped`.
"""

import queue
import sys
import time

from paho_peer import Peer, label
from report import check, client, expect, figure

HOST, PORT, BACKLOG = sys.argv[1], int(sys.argv[2]), sys.argv[3]
MESSAGES = 10_000
SLEEP = 0.001
QUIET = 3
DROPPED = "$SYS/broker/publish/messages/dropped"
SYS_WAIT = 25  # seconds for the broker to publish its counters anew


def publish_all(publisher):
    results = [publisher.client.publish("slow/reader", str(number), qos=2) for number in range(MESSAGES)]
    for result in results:
        result.wait_for_publish(60)
    expect(all(result.is_published() for result in results), True, "every message acknowledged to its publisher")


def read_all(received):
    """The numbers that came, until all came or none did for a while."""
    numbers = []
    while len(numbers) < MESSAGES:
        try:
            numbers.append(int(received.get(timeout=QUIET)))
        except queue.Empty:
            break
    return numbers


def dropped(observer, wanted):
    """The broker's own count; waits for it to become the wanted one."""
    value = None
    deadline = time.monotonic() + SYS_WAIT
    while value != wanted and time.monotonic() < deadline:
        try:
            value = int(observer.messages.get(timeout=1).payload)
        except queue.Empty:
            pass
    return value


def slow_reader():
    received = queue.Queue()

    def sleeps(paho, userdata, message):
        received.put(message.payload)
        time.sleep(SLEEP)

    with Peer(HOST, PORT, "slow-reader", "311") as reader, Peer(HOST, PORT, "slow-writer", "311") as writer:
        reader.client.on_message = sleeps
        reader.subscribe("slow/reader")
        with check("every publish is acknowledged"):
            publish_all(writer)
        numbers = read_all(received)
    return numbers


client(label("311"))
numbers = slow_reader()
missing = MESSAGES - len(set(numbers))
figure("missing", missing)
with check("in order, none twice"):
    expect(numbers, sorted(set(numbers)))
if BACKLOG == "whole":
    with check("nothing lost"):
        expect(missing, 0, "missing messages")
else:
    with check("the limit was reached"):
        expect(missing > 0, True)
with check("the broker counts what it dropped"), Peer(HOST, PORT, "observer", "311") as observer:
    observer.subscribe(DROPPED)
    expect(dropped(observer, missing), missing, DROPPED)
