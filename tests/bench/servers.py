"""The measured servers: echod, in the configurations that scenarios need, and the peers of peers/peers.json."""

import dataclasses
import json
import pathlib
import subprocess

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PEERS = SOURCE / "tests/bench/peers/peers.json"

BEFORE = "echod before"
BUSY_SUFFIX = ", busy polling"
ONE_SUFFIX = ", 1 worker"
UDP_SUFFIX = ", UDP"
UNIX_SUFFIX = ", UNIX"
COPYING_SUFFIX = ", copying"
TWO_SUFFIX = ", 2 workers"
BUSY = "echod" + BUSY_SUFFIX
COPYING = "echod" + COPYING_SUFFIX
ONE_WORKER = "echod" + ONE_SUFFIX
UDP = "echod" + UDP_SUFFIX
UNIX = "echod" + UNIX_SUFFIX
PLAIN_UDP = "udp-loop"
TWO_WORKERS = "echod" + TWO_SUFFIX


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    kind: str  # echod, variant (of echod), before (another echod), library, daemon, baseline or floor.
    command: tuple  # {host}, {port}, {path}, {connections} and {config} are filled in.
    families: tuple = ()  # The only scenarios of a variant.
    forks: bool = False
    is_quick: bool = False
    core_only: str = ""  # Why it takes part in core scenarios only.
    fails_checks: tuple = ()
    excluded: tuple = ()
    protocol: str = "tcp"
    config: str = ""  # The text of the file {config}. Of its placeholders, {host}, {port} and {path} are filled in.

    @property
    def is_correct_peer(self):
        return self.kind in ("library", "daemon", "baseline") and not self.fails_checks


def takes_part(server, scenario, is_quick=False):
    """Returns whether a server is measured in a scenario."""
    if server.protocol != scenario.protocol:
        return False
    if scenario.family == "workers" or server.kind == "variant":
        return scenario.family in server.families
    if scenario.only:
        return server.name in scenario.only or (server.kind == "before" and "echod" in scenario.only)
    if is_quick and not server.is_quick:
        return False
    return (scenario.is_core or not server.core_only) and not is_excluded(server, scenario)


def is_excluded(server, scenario):
    """Returns whether peers.json excludes the server from the scenario."""
    return any(
        rule["scenario"] == scenario.kind
        and scenario.connections > rule.get("connections_above", 0)
        and scenario.outstanding_bytes > rule.get("outstanding_bytes_above", 0)
        for rule in server.excluded
    )


def echods(build, work, before=None):
    """Returns echod with its variants, and the keys that this echod does not know; variants with such keys are left
    out. `before`: the program of another echod, which is measured too.
    """
    binary = f"{build}/daemon/echod"
    unknown = unknown_keys(binary, work)
    found = variants(binary, work, "echod", unknown)
    if before:
        found += variants(str(before), work, BEFORE, unknown_keys(before, work))
    return found, unknown


def variants(binary, work, prefix, unknown):
    def echod(suffix="", families=(), **settings):
        name = prefix + suffix
        known = {key: value for key, value in settings.items() if key not in unknown}
        config = work / f"{name.replace(', ', '-').replace(' ', '-')}.toml"
        config.write_text("".join(f"{key} = {value}\n" for key, value in known.items()))
        command = (binary, "--config", str(config), "--log-file", "", "--address", "{host}", "--port", "{port}")
        kind = "variant" if families else "before" if prefix == BEFORE else "echod"
        return Server(name, kind, command, families=families, is_quick=True)

    found = [echod(workers=1)]
    listen = 'protocol = "udp"\naddress = "{host}"\nport = {port}\n'
    found.append(listening(binary, prefix + UDP_SUFFIX, "udp", listen, ("datagrams", "trains", "rate")))
    found.append(listening(binary, prefix + UNIX_SUFFIX, "unix", 'path = "{path}"\n', ("unix",)))
    if "buffers.splice" not in unknown:
        families = ("echo", "deep", "bulk", "segments", "connect", "floods")
        found.append(echod(COPYING_SUFFIX, families, workers=1, **{"buffers.splice": "false"}))
    if "busy_poll_us" not in unknown:
        found.append(echod(BUSY_SUFFIX, ("ping",), workers=1, busy_poll_us=50))
    if "workers" not in unknown:
        found += [echod(ONE_SUFFIX, ("workers",), workers=1), echod(TWO_SUFFIX, ("workers",), workers=2)]
    return found


def listening(binary, name, protocol, listen, families):
    """Returns an echod with one listener that is not the default one."""
    command = (binary, "--config", "{config}", "--log-file", "")
    config = "workers = 1\n[[listen]]\n" + listen
    return Server(name, "variant", command, families, is_quick=True, protocol=protocol, config=config)


def unknown_keys(binary, work):
    keys = {"workers": "1", "busy_poll_us": "1", "buffers.splice": "true"}
    return [key for key, value in keys.items() if not knows_key(binary, work, key, value)]


def knows_key(binary, work, key, value):
    config = work / "probe.toml"
    config.write_text(f"{key} = {value}\n")
    check = [binary, "--check-config", "--config", str(config)]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def peers(build):
    """Returns all peers of peers.json. Whether a peer can run here is only known when it is started."""
    found = []
    kept = {name: f"{{{name}}}" for name in ("host", "port", "path", "connections")}
    places = {"build": str(build), "source": str(SOURCE), **kept}
    for peer in json.loads(PEERS.read_text())["peers"]:
        command = tuple(word.format(**places) for word in peer["command"])
        found.append(
            Server(
                name=peer["name"],
                kind=peer["kind"],
                command=command,
                forks=peer.get("forks", False),
                is_quick=peer.get("quick", False),
                core_only=peer.get("core_only", ""),
                fails_checks=tuple(peer.get("fails_checks", ())),
                excluded=tuple(peer["excluded"]),
                protocol=peer.get("protocol", "tcp"),
            )
        )
    return found
