"""Three times 200,000 bytes at QoS 1 through a small send buffer: HOST PORT LOOP (threads or asyncio).

With `asyncio` the loop is the application's own, fed by paho's socket callbacks.
"""

import asyncio
import socket
import sys

from paho_peer import TIMEOUT, Peer, label, new_client
from report import check, client, expect

HOST, PORT, LOOP = sys.argv[1], int(sys.argv[2]), sys.argv[3]
TOPIC = "echo/large"
PAYLOAD = b"Hello" * 40_000
SEND_BUFFER = 2048


def narrow(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def threads():
    with check("connect"), Peer(HOST, PORT, "echo-threads", "311") as one:
        narrow(one.client.socket())
        one.subscribe(TOPIC, 1)
        for number in range(1, 4):
            with check(f"echo {number}"):
                one.publish(TOPIC, PAYLOAD, 1)
                expect(one.next().payload == PAYLOAD, True, "200,000 bytes came back")


class LoopBridge:
    """Lets an asyncio loop watch paho's socket, by paho's own callbacks."""

    def __init__(self, loop, paho):
        self.loop = loop
        self.paho = paho
        self.misc = None
        paho.on_socket_open = self.opened
        paho.on_socket_close = self.closed
        paho.on_socket_register_write = lambda paho, userdata, sock: loop.add_writer(sock, paho.loop_write)
        paho.on_socket_unregister_write = lambda paho, userdata, sock: loop.remove_writer(sock)

    def opened(self, paho, userdata, sock):
        self.loop.add_reader(sock, paho.loop_read)
        self.misc = self.loop.create_task(self.keep_alive())

    def closed(self, paho, userdata, sock):
        self.loop.remove_reader(sock)
        self.misc.cancel()

    async def keep_alive(self):
        while self.paho.loop_misc() == 0:
            await asyncio.sleep(1)


async def own_loop():
    loop = asyncio.get_running_loop()
    paho = new_client("echo-asyncio", "311")
    LoopBridge(loop, paho)
    subscribed, received, disconnected = loop.create_future(), asyncio.Queue(), loop.create_future()
    paho.on_connect = lambda *rest: paho.subscribe(TOPIC, 1)
    paho.on_subscribe = lambda *rest: subscribed.set_result(None)
    paho.on_message = lambda paho, userdata, message: received.put_nowait(message.payload)
    paho.on_disconnect = lambda *rest: disconnected.set_result(None)
    with check("connect"):
        paho.connect(HOST, PORT, 60)
        narrow(paho.socket())
        await asyncio.wait_for(subscribed, TIMEOUT)
    for number in range(1, 4):
        with check(f"echo {number}"):
            paho.publish(TOPIC, PAYLOAD, 1)
            payload = await asyncio.wait_for(received.get(), TIMEOUT)
            expect(payload == PAYLOAD, True, "200,000 bytes came back")
    with check("disconnect"):
        paho.disconnect()
        await asyncio.wait_for(disconnected, TIMEOUT)


client(f"{label('311')}, {LOOP}")
if LOOP == "threads":
    threads()
else:
    asyncio.run(own_loop())
