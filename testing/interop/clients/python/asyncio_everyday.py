"""Everyday use of an asyncio library: HOST PORT LIBRARY (aiomqtt, gmqtt or amqtt) VERSION (311 or 5).

The checks stand here once; `LIBRARY_peer.py` holds what differs between the libraries: a class `Peer`, whose
`next` gives a `Message` with the properties under the names of `Peer.publish`.
"""

import asyncio
import importlib
import sys

from report import check, client, expect, is_owner_of_will, ready, run_and_kill

HOST, PORT, LIBRARY, VERSION = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
LIBRARY_PEER = importlib.import_module(f"{LIBRARY}_peer")


def peer(name, **options):
    return LIBRARY_PEER.Peer(HOST, PORT, f"{LIBRARY}-{name}", VERSION, **options)


async def until_quiet(one):
    """All messages until none came for a while."""
    result = []
    while True:
        try:
            result.append(await one.next(timeout=0.5))
        except asyncio.TimeoutError:
            return result


async def everyday():
    with check("connect"):
        async with peer("connect"):
            pass
    with check("subscribe"):
        async with peer("subscribe") as one:
            for qos in (0, 1, 2):
                expect(await one.subscribe(f"everyday/subscribe/{qos}", qos), [qos], "granted QoS")
    for qos in (0, 1, 2):
        with check(f"echo QoS {qos}"):
            await echo(qos)
    with check("unsubscribe"):
        async with peer("unsubscribe") as one:
            await one.subscribe("everyday/first", 1)
            await one.subscribe("everyday/second", 1)
            await one.unsubscribe("everyday/first")
            await one.publish("everyday/first", b"not wanted", 1)
            await one.publish("everyday/second", b"wanted", 1)
            expect((await one.next()).payload, b"wanted")
    with check("retained"):
        await retained()
    with check("will"):
        async with peer("heir") as heir:
            await heir.subscribe("everyday/will", 1)
            await asyncio.to_thread(run_and_kill, "will")
            message = await heir.next()
            expect((message.payload, message.qos), (b"gone", 1), "Will Message")


async def echo(qos):
    async with peer("echo") as one:
        await one.subscribe("everyday/echo/+", 2)
        payloads = [b"%d" % number for number in range(20)] + [b"", b"x" * 100_000]
        for payload in payloads:
            await one.publish(f"everyday/echo/{qos}", payload, qos)
        for payload in payloads:
            message = await one.next()
            expect((message.topic, message.qos, message.retain), (f"everyday/echo/{qos}", qos, False))
            expect(message.payload, payload, "payload")


async def retained():
    topic = "everyday/retained"
    async with peer("publisher") as publisher, peer("early") as early, peer("late") as late:
        await early.subscribe(topic, 1)
        await publisher.publish(topic, b"kept", 1, retain=True)
        expect((await early.next()).retain, False, "RETAIN of a live message")
        await late.subscribe(topic, 1)
        message = await late.next()
        expect((message.payload, message.retain), (b"kept", True), "retained message")
        await publisher.publish(topic, b"", 1, retain=True)
        expect((await late.next()).payload, b"", "the empty message that clears")
    async with peer("after") as after:
        await after.subscribe(topic, 1)
        await after.publish(topic, b"live", 1)
        expect((await after.next()).payload, b"live", "first message after clearing")


async def own_will():
    async with peer("owner", will=("everyday/will", b"gone", 1)):
        ready()
        await asyncio.sleep(60)  # until killed


async def version_5():
    with check("user properties"):
        async with peer("properties") as one:
            await one.subscribe("everyday/properties", 1)
            pairs = [("colour", "blue"), ("colour", "green"), ("größe", "10 µm")]
            await one.publish("everyday/properties", b"x", 1, user_property=pairs, content_type="text/plain")
            received = (await one.next()).properties
            expect(received["user_property"], pairs)
            expect(received["content_type"], "text/plain")
    with check("request and response"):
        async with peer("asks") as asks, peer("answers") as answers:
            await answers.subscribe("everyday/request", 1)
            await asks.subscribe("everyday/response", 1)
            asked = {"response_topic": "everyday/response", "correlation_data": b"\0\1\2"}
            await asks.publish("everyday/request", b"?", 1, **asked)
            request = (await answers.next()).properties
            answer = {"correlation_data": request["correlation_data"]}
            await answers.publish(request["response_topic"], b"!", 1, **answer)
            expect((await asks.next()).properties["correlation_data"], b"\0\1\2")
    with check("message expiry"):
        await message_expiry()
    with check("topic alias"):
        async with peer("alias") as one:
            await one.subscribe("everyday/alias", 1)
            await one.publish("everyday/alias", b"first", 1, topic_alias=1)
            await one.publish("", b"second", 1, topic_alias=1)
            messages = [await one.next(), await one.next()]
            expect([(each.topic, each.payload) for each in messages],
                   [("everyday/alias", b"first"), ("everyday/alias", b"second")])
    with check("shared subscription"):
        async with peer("a") as a, peer("b") as b:
            await a.subscribe("$share/group/everyday/shared", 1)
            await b.subscribe("$share/group/everyday/shared", 1)
            for number in range(20):
                await b.publish("everyday/shared", b"%d" % number, 1)
            shares = [[int(each.payload) for each in await until_quiet(one)] for one in (a, b)]
            expect(sorted(shares[0] + shares[1]), list(range(20)), "each message once")
            expect(all(shares), True, "each member has a share")
    with check("subscription identifier"):
        async with peer("identifier") as one:
            await one.subscribe("everyday/identifier", 1, identifier=77)
            await one.publish("everyday/identifier", b"x", 1)
            expect((await one.next()).properties["subscription_identifier"], [77])


async def message_expiry():
    async with peer("expiry") as one:
        await one.publish("everyday/expiry/soon", b"x", 1, retain=True, message_expiry_interval=1)
        await one.publish("everyday/expiry/late", b"x", 1, retain=True, message_expiry_interval=100)
        await asyncio.sleep(2.2)  # the time the message may live
        await one.subscribe("everyday/expiry/+", 1)
        message = await one.next()
        expect(message.topic, "everyday/expiry/late")
        remaining = message.properties["message_expiry_interval"]
        expect(remaining in (97, 98), True, "time that remains is less by 2 s")
        expect(await until_quiet(one), [], "expired messages")
        await one.publish("everyday/expiry/late", b"", 1, retain=True)


if is_owner_of_will():
    asyncio.run(own_will())
else:
    client(LIBRARY_PEER.label(VERSION))
    asyncio.run(everyday())
    if VERSION == "5":
        asyncio.run(version_5())
