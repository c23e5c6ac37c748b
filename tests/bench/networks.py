"""Where a server and its client run: on the loopback interface, or in two network namespaces.

Between the namespaces is a veth pair, so packets pass two devices. There are two such networks: "veth", and "segments",
where the kernel gives each segment of 1448 bytes to the device by itself, as to a network card without segmentation
offload. They need root.
"""

import contextlib
import dataclasses
import os
import subprocess

SERVER_ADDRESS, CLIENT_ADDRESS = "10.99.0.1", "10.99.0.2"


@dataclasses.dataclass(frozen=True)
class Network:
    address: str = "127.0.0.1"  # Of the server.
    server: tuple = ()  # Command prefixes.
    client: tuple = ()


LOOPBACK = Network()


@contextlib.contextmanager
def all_networks():
    """Makes the namespaces and removes them at the end.

    Yields the networks by name, and ""; or the loopback alone, and why there are no others.
    """
    with contextlib.ExitStack() as cleanup:
        try:
            found = {"loopback": LOOPBACK, "veth": veth("veth", cleanup)}
            found["segments"] = veth("segments", cleanup, "gso_max_segs", "1")
        except (OSError, subprocess.CalledProcessError) as error:
            yield {"loopback": LOOPBACK}, f"needs network namespaces: {getattr(error, 'stderr', None) or error}".strip()
            return
        yield found, ""


def veth(network, cleanup, *options):
    """Makes two namespaces with a veth pair between them. `options`: words of `ip link set` for both ends."""
    server, client = (f"echod-bench-{os.getpid()}-{network}-{role}" for role in ("server", "client"))
    for name in (server, client):
        ip("netns", "add", name)
        cleanup.callback(ip, "netns", "delete", name)
    ip("-n", server, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", client)
    for name, address in ((server, SERVER_ADDRESS), (client, CLIENT_ADDRESS)):
        ip("-n", name, "address", "add", f"{address}/24", "dev", "veth0")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "veth0", "up", *options)
    return Network(SERVER_ADDRESS, *(("ip", "netns", "exec", name) for name in (server, client)))


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
