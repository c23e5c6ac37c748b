#!/usr/bin/env python3
"""Sends bytes to an echo service over asyncio, half-closes, and checks what comes back.

Usage: echo_client.py HOST PORT BYTES. Exits with 0 if all bytes came back, and then the end of the stream.
"""
import asyncio
import random
import sys


async def send(writer, data):
    position = 0
    while position < len(data):
        end = position + random.randint(1, 100_000)
        writer.write(data[position:end])
        await writer.drain()
        position = end
    writer.write_eof()


async def main(host, port, count):
    data = random.randbytes(count)
    reader, writer = await asyncio.open_connection(host, port)
    sender = asyncio.create_task(send(writer, data))
    received = await reader.read(-1)
    await sender
    writer.close()
    if received != data:
        sys.exit(f"{len(received)} of {len(data)} bytes came back, or wrong ones")
    print(f"ok {len(received)}")


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
