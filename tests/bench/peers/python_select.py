"""Echo with Python's select.select: non-blocking sockets, one recv and one send for each event.

While a reply does not fit, the socket is among the writers and not among the readers.
Limits: descriptors must be below FD_SETSIZE (1024). Further connections are accepted and closed at
once, with a message for the first. Each call converts the lists of all sockets.
"""

import resource
import select
import socket
import sys

BUFFER_SIZE = 128 * 1024
FD_SETSIZE = 1024


class Server:
    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.listener.setblocking(False)
        # Accepted sockets inherit it.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.readers = {self.listener}
        self.unsent = {}  # Unsent bytes by socket. These sockets are the writers.
        self.has_refused = False

    def run(self):
        while True:
            readable, writable, _ = select.select(self.readers, self.unsent, [])
            for connection in writable:
                self.attempt(self.flush, connection)
            for connection in readable:
                if connection is self.listener:
                    self.accept()
                else:
                    self.attempt(self.echo, connection)

    def accept(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return  # The client has gone, or descriptors ran out.
        if connection.fileno() < FD_SETSIZE:
            connection.setblocking(False)
            self.readers.add(connection)
            return
        connection.close()
        if not self.has_refused:
            self.has_refused = True
            print("select: no more than 1024 descriptors: refusing", file=sys.stderr)

    def attempt(self, action, connection):
        try:
            action(connection)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.close(connection)

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
            self.readers.remove(connection)
            self.unsent[connection] = data[sent:]

    def flush(self, connection):
        data = self.unsent[connection]
        data = data[connection.send(data):]
        if data:
            self.unsent[connection] = data
        else:
            del self.unsent[connection]
            self.readers.add(connection)

    def close(self, connection):
        self.readers.discard(connection)
        self.unsent.pop(connection, None)
        connection.close()


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
Server(int(sys.argv[1])).run()
