"""Echo with Python's asyncio: a Protocol for each connection on the default (selector, epoll) loop.

The transport sets TCP_NODELAY and reads up to 256 KiB at a time. Reading pauses while the transport
holds more than its high-water mark (64 KiB). After an end of file the transport flushes and closes.
Limits: when descriptors run out, asyncio stops accepting for a second at a time.
"""

import asyncio
import resource
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def main(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main(int(sys.argv[1])))
