"""A paho-mqtt client on its own thread (`loop_start`), the same for releases 1.6 and 2.x."""

import queue

import paho.mqtt.client as mqtt
from paho.mqtt import __version__
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from report import expect

TIMEOUT = 10
VERSIONS = {"31": mqtt.MQTTv31, "311": mqtt.MQTTv311, "5": mqtt.MQTTv5}
VERSION_NAMES = {"31": "3.1", "311": "3.1.1", "5": "5.0"}


def label(version):
    return f"paho-mqtt {__version__}, MQTT {VERSION_NAMES[version]}"


def new_client(name, version, clean=True):
    arguments = {"client_id": name, "protocol": VERSIONS[version]}
    if version != "5":
        arguments["clean_session"] = clean
    if hasattr(mqtt, "CallbackAPIVersion"):  # since 2.0
        arguments["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION2
    return mqtt.Client(**arguments)


def code(value):
    """A reason or return code as a number, whichever release handed it over."""
    return getattr(value, "value", value)


def properties(packet, **fields):
    result = Properties(packet)
    for name, value in fields.items():
        setattr(result, name, value)
    return result


class Peer:
    """Connects on entry, disconnects on exit; messages wait in `messages`."""

    def __init__(self, host, port, name, version):
        self.address = (host, port)
        self.version = version
        self.messages = queue.Queue()
        self.acknowledged = queue.Queue()
        self.connected = queue.Queue()
        self.client = new_client(name, version)
        # The releases differ in what follows the fourth argument, so the rest is swallowed.
        self.client.on_connect = lambda client, userdata, flags, reason, *rest: self.connected.put(code(reason))
        self.client.on_subscribe = lambda client, userdata, mid, granted, *rest: self.acknowledged.put(
            [code(each) for each in granted]
        )
        self.client.on_unsubscribe = lambda client, userdata, mid, *rest: self.acknowledged.put(None)
        self.client.on_message = lambda client, userdata, message: self.messages.put(message)

    def __enter__(self):
        self.client.connect(*self.address, keepalive=60)
        self.client.loop_start()
        expect(self.connected.get(timeout=TIMEOUT), 0, "CONNACK")
        return self

    def __exit__(self, *error):
        self.client.disconnect()
        self.client.loop_stop()

    def subscribe(self, topic_filter, qos=2, identifier=None):
        given = None
        if identifier is not None:
            given = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=identifier)
        self.client.subscribe(topic_filter, qos, properties=given)
        return self.acknowledged.get(timeout=TIMEOUT)

    def unsubscribe(self, topic_filter):
        self.client.unsubscribe(topic_filter)
        self.acknowledged.get(timeout=TIMEOUT)

    def publish(self, topic, payload, qos=1, retain=False, **fields):
        given = properties(PacketTypes.PUBLISH, **fields) if fields else None
        result = self.client.publish(topic, payload, qos, retain, properties=given)
        result.wait_for_publish(TIMEOUT)
        if not result.is_published():
            raise TimeoutError(f"publish at QoS {qos} was not acknowledged")

    def next(self):
        return self.messages.get(timeout=TIMEOUT)

    def until_quiet(self):
        """All messages until none came for a while."""
        result = []
        while True:
            try:
                result.append(self.messages.get(timeout=0.5))
            except queue.Empty:
                return result
