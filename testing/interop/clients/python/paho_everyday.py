"""Everyday use of paho-mqtt, threaded: HOST PORT VERSION (31, 311 or 5)."""

import sys
import time

from paho_peer import TIMEOUT, Peer, label, new_client
from report import check, client, expect

HOST, PORT, VERSION = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def peer(name):
    return Peer(HOST, PORT, f"paho-{name}", VERSION)


def everyday():
    with check("connect"), peer("connect"):
        pass
    with check("subscribe"), peer("subscribe") as one:
        for qos in (0, 1, 2):
            expect(one.subscribe(f"everyday/subscribe/{qos}", qos), [qos], "granted QoS")
    for qos in (0, 1, 2):
        with check(f"echo QoS {qos}"), peer("echo") as one:
            one.subscribe("everyday/echo/+")
            payloads = [b"%d" % number for number in range(20)] + [b"", b"x" * 100_000]
            for payload in payloads:
                one.publish(f"everyday/echo/{qos}", payload, qos)
            for payload in payloads:
                message = one.next()
                expect((message.topic, message.qos, message.retain), (f"everyday/echo/{qos}", qos, 0))
                expect(message.payload, payload, "payload")
    with check("unsubscribe"), peer("unsubscribe") as one:
        one.subscribe("everyday/first")
        one.subscribe("everyday/second")
        one.unsubscribe("everyday/first")
        one.publish("everyday/first", "not wanted")
        one.publish("everyday/second", "wanted")
        expect(one.next().payload, b"wanted")
    with check("retained"):
        retained()
    with check("will"):
        will()


def retained():
    topic = "everyday/retained"
    with peer("publisher") as publisher, peer("early") as early, peer("late") as late:
        early.subscribe(topic)
        publisher.publish(topic, "kept", retain=True)
        expect(early.next().retain, 0, "RETAIN of a live message")
        late.subscribe(topic)
        message = late.next()
        expect((message.payload, message.retain), (b"kept", 1), "retained message")
        publisher.publish(topic, "", retain=True)
        expect(late.next().payload, b"", "the empty message that clears")
    with peer("after") as after:
        after.subscribe(topic)
        after.publish(topic, "live")
        expect(after.next().payload, b"live", "first message after clearing")


def will():
    with peer("heir") as heir:
        heir.subscribe("everyday/will")
        owner = new_client("paho-owner", VERSION)
        owner.will_set("everyday/will", "gone", qos=1)
        connected = []
        owner.on_connect = lambda *arguments: connected.append(arguments)
        owner.connect(HOST, PORT)
        deadline = time.monotonic() + TIMEOUT
        while not connected and time.monotonic() < deadline:
            owner.loop(0.1)
        owner.socket().close()  # no DISCONNECT
        message = heir.next()
        expect((message.payload, message.qos), (b"gone", 1), "Will Message")


def version_5():
    with check("user properties"), peer("properties") as one:
        one.subscribe("everyday/properties")
        pairs = [("colour", "blue"), ("colour", "green"), ("größe", "10 µm")]
        one.publish("everyday/properties", "x", UserProperty=pairs, ContentType="text/plain")
        received = one.next().properties
        expect(received.UserProperty, pairs)
        expect(received.ContentType, "text/plain")
    with check("request and response"), peer("asks") as asks, peer("answers") as answers:
        answers.subscribe("everyday/request")
        asks.subscribe("everyday/response")
        asks.publish("everyday/request", "?", ResponseTopic="everyday/response", CorrelationData=b"\0\1\2")
        request = answers.next().properties
        answers.publish(request.ResponseTopic, "!", CorrelationData=request.CorrelationData)
        expect(asks.next().properties.CorrelationData, b"\0\1\2")
    with check("message expiry"), peer("expiry") as one:
        one.publish("everyday/expiry/soon", "x", retain=True, MessageExpiryInterval=1)
        one.publish("everyday/expiry/late", "x", retain=True, MessageExpiryInterval=100)
        time.sleep(2.2)  # the time the message may live
        one.subscribe("everyday/expiry/+")
        message = one.next()
        expect(message.topic, "everyday/expiry/late")
        expect(message.properties.MessageExpiryInterval in (97, 98), True, "time that remains is less by 2 s")
        expect(one.until_quiet(), [], "expired messages")
        one.publish("everyday/expiry/late", "", retain=True)
    with check("topic alias"), peer("alias") as one:
        one.subscribe("everyday/alias")
        one.publish("everyday/alias", "first", TopicAlias=1)
        one.publish("", "second", TopicAlias=1)
        expect([(each.topic, each.payload) for each in (one.next(), one.next())],
               [("everyday/alias", b"first"), ("everyday/alias", b"second")])
    with check("shared subscription"), peer("a") as a, peer("b") as b:
        a.subscribe("$share/group/everyday/shared")
        b.subscribe("$share/group/everyday/shared")
        for number in range(20):
            b.publish("everyday/shared", str(number))
        shares = [[int(each.payload) for each in one.until_quiet()] for one in (a, b)]
        expect(sorted(shares[0] + shares[1]), list(range(20)), "each message once")
        expect(all(shares), True, "each member has a share")
    with check("subscription identifier"), peer("identifier") as one:
        one.subscribe("everyday/identifier", identifier=77)
        one.publish("everyday/identifier", "x")
        expect(one.next().properties.SubscriptionIdentifier, [77])


client(label(VERSION))
everyday()
if VERSION == "5":
    version_5()
