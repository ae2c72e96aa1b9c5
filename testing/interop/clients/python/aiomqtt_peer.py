"""An aiomqtt client."""

import asyncio
from importlib.metadata import version as installed

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from message import Message

TIMEOUT = 10
VERSIONS = {"311": aiomqtt.ProtocolVersion.V311, "5": aiomqtt.ProtocolVersion.V5}


def label(version):
    return f"aiomqtt {installed('aiomqtt')}, MQTT {'5.0' if version == '5' else '3.1.1'}"


class Peer:
    def __init__(self, host, port, name, version, will=None):
        self.client = aiomqtt.Client(
            host,
            port,
            identifier=name,
            protocol=VERSIONS[version],
            will=aiomqtt.Will(*will) if will else None,
            timeout=TIMEOUT,
        )

    async def __aenter__(self):
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self.client.__aexit__(*error)

    async def subscribe(self, topic_filter, qos, identifier=None):
        given = None
        if identifier is not None:
            given = to_library(PacketTypes.SUBSCRIBE, {"subscription_identifier": identifier})
        granted = await self.client.subscribe(topic_filter, qos, properties=given)
        return [getattr(each, "value", each) for each in granted]

    async def unsubscribe(self, topic_filter):
        await self.client.unsubscribe(topic_filter)

    async def publish(self, topic, payload, qos, retain=False, **properties):
        given = to_library(PacketTypes.PUBLISH, properties) if properties else None
        await self.client.publish(topic, payload, qos, retain, properties=given)

    async def next(self, timeout=TIMEOUT):
        message = await asyncio.wait_for(anext(aiter(self.client.messages)), timeout)
        return Message(
            str(message.topic), message.payload, message.qos, message.retain, from_library(message.properties)
        )


def to_library(packet, properties):
    """`user_property` is `UserProperty` there, and so on."""
    result = Properties(packet)
    for name, value in properties.items():
        setattr(result, name.title().replace("_", ""), value)
    return result


def from_library(properties):
    names = ("user_property", "content_type", "response_topic", "correlation_data", "message_expiry_interval",
             "subscription_identifier")
    values = {name: getattr(properties, name.title().replace("_", ""), None) for name in names}
    return {name: value for name, value in values.items() if value is not None}
