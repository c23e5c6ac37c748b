"""Echo with Python's selectors: DefaultSelector (level-triggered epoll), non-blocking sockets.

One recv and one send for each event. While a reply does not fit, the socket is registered for
writing and not read.
Limits: when descriptors run out, the listener stays ready and the loop spins.
"""

import resource
import selectors
import socket
import sys

BUFFER_SIZE = 128 * 1024


class Server:
    def __init__(self, port):
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.listener.setblocking(False)
        # Accepted sockets inherit it.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def run(self):
        while True:
            for key, _ in self.selector.select():
                try:
                    key.data(key.fileobj)
                except (BlockingIOError, InterruptedError):
                    pass
                except OSError:
                    if key.fileobj is not self.listener:
                        self.close(key.fileobj)

    def accept(self, listener):
        connection, _ = listener.accept()
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ, self.echo)

    def echo(self, connection):
        data = connection.recv(BUFFER_SIZE)
        if not data:
            self.close(connection)
            return
        try:
            sent = connection.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.wait_to_send(connection, data[sent:])

    def wait_to_send(self, connection, data):
        def flush(connection):
            nonlocal data
            data = data[connection.send(data):]
            if not data:
                self.selector.modify(connection, selectors.EVENT_READ, self.echo)

        self.selector.modify(connection, selectors.EVENT_WRITE, flush)

    def close(self, connection):
        self.selector.unregister(connection)
        connection.close()


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
Server(int(sys.argv[1])).run()
