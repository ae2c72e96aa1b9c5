"""An amqtt client (formerly hbmqtt)."""

import asyncio
from importlib.metadata import version as installed

from amqtt.client import MQTTClient
from amqtt.contexts import ClientConfig, WillConfig

from message import Message

TIMEOUT = 10


def label(version):
    return f"amqtt {installed('amqtt')}, MQTT 3.1.1"


class Peer:
    def __init__(self, host, port, name, version, will=None):
        self.uri = f"mqtt://{host}:{port}/"
        will = WillConfig(topic=will[0], message=will[1].decode(), qos=will[2]) if will else None
        self.client = MQTTClient(name, ClientConfig(auto_reconnect=False, will=will, keep_alive=60))

    async def __aenter__(self):
        await asyncio.wait_for(self.client.connect(self.uri), TIMEOUT)
        return self

    async def __aexit__(self, *error):
        await self.client.disconnect()

    async def subscribe(self, topic_filter, qos):
        return await asyncio.wait_for(self.client.subscribe([(topic_filter, qos)]), TIMEOUT)

    async def unsubscribe(self, topic_filter):
        await asyncio.wait_for(self.client.unsubscribe([topic_filter]), TIMEOUT)

    async def publish(self, topic, payload, qos, retain=False):
        await asyncio.wait_for(self.client.publish(topic, payload, qos, retain), TIMEOUT)

    async def next(self, timeout=TIMEOUT):
        message = await self.client.deliver_message(timeout_duration=timeout)
        return Message(message.topic, bytes(message.data or b""), message.qos, message.retain, {})
