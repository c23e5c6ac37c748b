#!/usr/bin/env python3
"""Sends datagrams to an echo service over asyncio, several at a time, and checks what comes back.

Usage: datagram_client.py HOST PORT DATAGRAMS. Exits with 0 if each datagram came back, once and unchanged.
"""
import asyncio
import random
import sys

OUTSTANDING = 16
LONGEST = 8000


class Client(asyncio.DatagramProtocol):
    def __init__(self, count):
        self.left = [number.to_bytes(4, "big") + random.randbytes(random.randint(0, LONGEST))
                     for number in range(count)]
        self.outstanding = set()
        self.received = 0
        self.result = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        while self.left and len(self.outstanding) < OUTSTANDING:
            datagram = self.left.pop()
            self.outstanding.add(datagram)
            self.transport.sendto(datagram)
        if not self.outstanding:
            self.result.set_result(self.received)

    def datagram_received(self, data, address):
        if data not in self.outstanding:
            self.result.set_exception(SystemExit(f"{len(data)} bytes came back that were not sent, or twice"))
            return
        self.outstanding.remove(data)
        self.received += 1
        self.send()

    def error_received(self, error):
        self.result.set_exception(error)


async def main(host, port, count):
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(lambda: Client(count), remote_addr=(host, port))
    print(f"ok {await client.result}")
    transport.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
