"""Tests how the figures of a million connections are read and judged. Starts nothing."""

import pathlib
import sys
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))  # Modules of the other benchmark.

import costs
import measurement
import summary

LINES = """kernel 6.1.0
accelerator kvm
sample start meminfo AnonPages:  12 kB
sample start net/snmp Tcp: InSegs OutSegs
sample start net/snmp Tcp: 7 8
result {
result }
problem it is slow
end 0 3""".splitlines()


class RunTest(unittest.TestCase):
    def setUp(self):
        self.run_ = measurement.Run()
        for line in LINES:
            self.run_.take(line)

    def test_has_what_was_printed(self):
        self.assertEqual((self.run_.kernel, self.run_.accelerator, self.run_.codes), ("6.1.0", "kvm", (0, 3)))
        self.assertEqual((self.run_.result, self.run_.problems), ("{\n}\n", ["it is slow"]))

    def test_has_samples_by_name(self):
        sample = costs.Sample(self.run_, "start")
        self.assertEqual((sample.bytes_of("meminfo", "AnonPages"), sample.tcp("InSegs")), (12 << 10, 7))
        self.assertIsNone(sample.bytes_of("meminfo", "AnonPages", "Slab"))
        self.assertIsNone(costs.Sample(self.run_, "closed").tcp("InSegs"))


class SourcesTest(unittest.TestCase):
    def test_have_ports_for_all_connections(self):
        self.assertEqual(measurement.sources(1000, (10000, 65535)), ["127.0.1.1"])
        many = measurement.sources(9_000_000, (10000, 65535))
        self.assertGreater(len(many) * 55535 / 2, 9_000_000)
        self.assertEqual(len(many), len(set(many)))


class ReportTest(unittest.TestCase):
    def setUp(self):
        self.report = {
            "time": "",
            "version": "",
            "command": "",
            "environment": {"virtual_machine": False, "accelerator": None, "kernel": "", "cpus": 2},
            "parameters": {"connections": 1000},
            "connections": {"connected": 1000, "connecting_s": 1, "per_s": 1000},
            "echoes": {"messages": 1000, "errors": 0, "passed": True, "latency_us": {"p50": 1, "p99": 2}},
            "echod": {
                "anonymous_bytes": {"before": 0, "echoed": 1 << 20},
                "anonymous_per_connection": 122,
                "exit_code": 0,
            },
            "idle": {"seconds": 60, "cpu_share": None, "segments": 50},
            "kernel_both_ends": {
                "bytes_per_connection": None,
                "slab_per_connection": 8000,
                "socket_buffers_per_connection": 0,
                "slabs": {},
            },
        }

    def test_has_no_complaints_when_all_went_well(self):
        self.assertEqual(list(costs.complaints(self.report)), [])

    def test_complains_of_missing_connections_and_of_how_echod_ended(self):
        self.report["connections"]["connected"] = 999
        self.report["echod"]["exit_code"] = 3
        self.assertEqual(list(costs.complaints(self.report)), ["999 connections of 1 000", "echod ended with 3"])

    def test_says_which_listener_the_connections_are_of(self):
        self.assertIn("| connections | 1 000 of 1 000 |", summary.markdown(self.report))
        self.assertNotIn("listener on `::`", summary.markdown(self.report))
        self.report["environment"].update(virtual_machine=True, memory_bytes=1 << 30)
        self.assertIn("listener on `::`", summary.markdown(self.report))


if __name__ == "__main__":
    unittest.main()
