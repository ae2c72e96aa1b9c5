"""A gmqtt client."""

import asyncio

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from message import Message

TIMEOUT = 10
VERSIONS = {"311": MQTTv311, "5": MQTTv50}


def label(version):
    return f"gmqtt {gmqtt.__version__}, MQTT {'5.0' if version == '5' else '3.1.1'}"


class Peer:
    def __init__(self, host, port, name, version, will=None):
        self.address = (host, port)
        self.version = VERSIONS[version]
        self.messages = asyncio.Queue()
        self.acknowledged = asyncio.Queue()
        offered = {"topic_alias_maximum": 10} if version == "5" else {}
        message = gmqtt.Message(will[0], will[1], qos=will[2]) if will else None
        self.client = gmqtt.Client(name, will_message=message, **offered)
        self.client.set_config({"reconnect_retries": 0})
        self.client.on_message = self.on_message
        self.client.on_subscribe = lambda client, mid, granted, properties: self.acknowledged.put_nowait(granted)
        self.client.on_unsubscribe = lambda client, mid, granted: self.acknowledged.put_nowait(None)

    async def __aenter__(self):
        await asyncio.wait_for(self.client.connect(*self.address, version=self.version), TIMEOUT)
        return self

    async def __aexit__(self, *error):
        await self.client.disconnect()

    async def subscribe(self, topic_filter, qos, identifier=None):
        given = {} if identifier is None else {"subscription_identifier": identifier}
        self.client.subscribe(topic_filter, qos, **given)
        return list(await asyncio.wait_for(self.acknowledged.get(), TIMEOUT))

    async def unsubscribe(self, topic_filter):
        self.client.unsubscribe(topic_filter)
        await asyncio.wait_for(self.acknowledged.get(), TIMEOUT)

    async def publish(self, topic, payload, qos, retain=False, **properties):
        # The library does not wait for acknowledgements; it raises while the Receive Maximum is used up.
        while True:
            try:
                return self.client.publish(topic, payload, qos, retain, **properties)
            except OverflowError:
                await asyncio.sleep(0.01)

    async def next(self, timeout=TIMEOUT):
        return await asyncio.wait_for(self.messages.get(), timeout)

    async def on_message(self, client, topic, payload, qos, properties):
        # Every property comes as a list, whether it may stand more than once or not.
        several = ("user_property", "subscription_identifier")
        given = {name: value if name in several or not isinstance(value, list) else value[0]
                 for name, value in properties.items()}
        self.messages.put_nowait(Message(topic, bytes(payload), qos, bool(properties["retain"]), given))
        return 0
