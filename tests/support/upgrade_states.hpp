// States of a service for tests of daemon/upgrade, and the parts of an encoded state, so that a
// test can damage one of them.
//
// Thread-safety: none.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sys/memory_file.hpp"
#include "upgrade/state.hpp"
#include "upgrade/state_format.hpp"
#include "upgrade/state_reader.hpp"
#include "upgrade/state_writer.hpp"

namespace echod::test {

using state_format::RecordType;

[[nodiscard]] inline std::span<const std::byte> bytes_in(std::string_view text) {
  return std::as_bytes(std::span(text));
}

[[nodiscard]] inline std::string text_in(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline SocketAddress address_in(std::string_view host, std::uint16_t port) {
  return SocketAddress::parse(host, port).value();
}

// What tests/unit/upgrade/state-1.bin holds. Each value differs from the default and from the other
// values. A later version of the format gets a function of its own; this one does not change.
[[nodiscard]] inline ServiceState service_of_version_1() {
  ServiceState service;
  service.version = "1.2.3";
  service.config_text = "workers = 2\n[log]\nfile = \"\"\n";
  service.process_started_at = 1795229420.25;
  service.pause_began_ms = 86400123;
  service.reload_requester = 4711;
  service.foreign_descriptors = 4;
  service.counts = {{"reloads", 3}, {"upgrades_refused", UINT64_MAX}};
  service.listeners = {{.fd = 5,
                        .wanted = address_in("::", 2003),
                        .address = address_in("::", 2004),
                        .v6only = true,
                        .is_passed = true,
                        .fell_back_to_v4 = false,
                        .dropped_before = 17},
                       {.fd = 6,
                        .wanted = SocketAddress::any_v6(7),
                        .address = SocketAddress::any_v4(7),
                        .v6only = false,
                        .is_passed = false,
                        .fell_back_to_v4 = true,
                        .dropped_before = 18},
                       {.fd = 16,
                        .wanted = address_in("192.0.2.9", 0),
                        .address = address_in("192.0.2.9", 2005),
                        .dropped_before = 19,
                        .protocol = Protocol::udp},
                       {.fd = 17,
                        .path = "/run/echod/echo.sock",
                        .lock_fd = 15,
                        .file_device = 0x123456789B,
                        .file_inode = 0x123456789C}};
  service.admin = {.unix_fd = 7,
                   .unix_lock_fd = 8,
                   .unix_path = "/run/echod/admin.sock",
                   .unix_device = 0x123456789D,
                   .unix_inode = 0x123456789E,
                   .tcp_fd = 9,
                   .tcp_address = address_in("127.0.0.1", 9862)};
  service.workers.resize(2);
  service.workers[0] = {.counters = {{"accepted", 30}, {"closed_by_peer", 28}},
                        .delay_bounds_ns = {1000, 2000},
                        .delay_counts = {4, 5, 6},
                        .delay_sum_ns = 123456,
                        .accepted_by_listener = {16, 14},
                        .stale_events = 2};
  service.workers[1].accepted_by_listener = {1, 4};
  service.connections = 3;
  return service;
}

[[nodiscard]] inline UpgradeState state_of_version_1() {
  using State = ParkedConnection::State;
  using std::chrono::milliseconds;
  UpgradeState state{.service = service_of_version_1(), .connections = {}};
  state.connections.resize(3);
  ParkedConnection& echoing = state.connections[0];
  echoing.fd = 20;
  echoing.peer = SocketAddress::of_process(4711, 1000);
  echoing.opened = milliseconds(86300001);
  echoing.progress = milliseconds(86300002);
  echoing.unacknowledged = UINT32_MAX;
  echoing.pins_memory = true;
  ParkedConnection& flushing = state.connections[1];
  flushing.worker = 1;
  flushing.listener = 1;
  flushing.fd = 21;
  flushing.peer = address_in("fe80::1%3", 40002);
  flushing.state = State::flushing;
  flushing.bytes_received = 0x123456789A;
  flushing.opened = milliseconds(86300003);
  flushing.progress = milliseconds(86300004);
  flushing.unacknowledged = 70000;
  flushing.owed = bytes_in(std::string_view("owed\0bytes", 10));
  ParkedConnection& in_pipe = state.connections[2];
  in_pipe.worker = 1;
  in_pipe.fd = 22;
  in_pipe.peer = address_in("::ffff:192.0.2.2", 40003);
  in_pipe.state = State::flushing;
  in_pipe.bytes_received = 5;
  in_pipe.pipe_read_end = 23;
  in_pipe.pipe_write_end = 24;
  in_pipe.pipe_bytes = 65536;
  return state;
}

inline void expect_equal(const ParkedConnection& got, const ParkedConnection& wanted) {
  EXPECT_EQ(got.worker, wanted.worker);
  EXPECT_EQ(got.listener, wanted.listener);
  EXPECT_EQ(got.fd, wanted.fd);
  EXPECT_EQ(got.peer, wanted.peer);
  EXPECT_EQ(got.state, wanted.state);
  EXPECT_EQ(got.bytes_received, wanted.bytes_received);
  EXPECT_EQ(got.opened, wanted.opened);
  EXPECT_EQ(got.progress, wanted.progress);
  EXPECT_EQ(got.unacknowledged, wanted.unacknowledged);
  EXPECT_EQ(got.pins_memory, wanted.pins_memory);
  EXPECT_EQ(text_in(got.owed), text_in(wanted.owed));
  EXPECT_EQ(got.pipe_read_end, wanted.pipe_read_end);
  EXPECT_EQ(got.pipe_write_end, wanted.pipe_write_end);
  EXPECT_EQ(got.pipe_bytes, wanted.pipe_bytes);
}

inline void expect_equal(const UpgradeState& got, const UpgradeState& wanted) {
  EXPECT_EQ(got.service, wanted.service);
  ASSERT_EQ(got.connections.size(), wanted.connections.size());
  for (std::size_t i = 0; i < wanted.connections.size(); ++i) {
    SCOPED_TRACE("connection " + std::to_string(i));
    expect_equal(got.connections[i], wanted.connections[i]);
  }
}

// Returns what the writer writes.
[[nodiscard]] inline std::string encoded(const UpgradeState& state) {
  sys::MemoryFile file("state of a test");
  write_state(state, file);
  return text_in(sys::MemoryMap(file.fd()).bytes());
}

// Returns the line of the error, or "" if the state can be read.
[[nodiscard]] inline std::string state_refusal(std::string_view state) {
  try {
    (void)read_state(bytes_in(state));
  } catch (const StateError& error) {
    return error.what();
  }
  return "";
}

// The content of a field that holds a number.
template <typename Number>
[[nodiscard]] std::string number_field(Number number) {
  return text_in(std::as_bytes(std::span(&number, 1)));
}

// An encoded state in parts.
class StateParts {
 public:
  struct Part {
    std::uint16_t number = 0;  // The type of the record, or the tag of the field.
    std::string content;
  };

  // `state` must be right.
  explicit StateParts(std::string_view state)
      : header_(state.substr(0, state_format::kHeaderBytes)),
        records_(split(state.substr(state_format::kHeaderBytes))) {}

  // The record at `position`, counted from 0, and its fields.
  [[nodiscard]] const std::vector<Part>& records() const { return records_; }
  [[nodiscard]] std::vector<Part> fields_of(std::size_t position) const {
    return split(records_.at(position).content);
  }
  // The position of the first record of this type.
  [[nodiscard]] std::size_t position_of(RecordType type) const {
    const auto found = std::find_if(records_.begin(), records_.end(), [type](const Part& record) {
      return record.number == static_cast<std::uint16_t>(type);
    });
    return static_cast<std::size_t>(found - records_.begin());
  }

  void set_header(std::uint16_t version, std::uint16_t oldest_reader) {
    header_ =
        std::string(state_format::kMagic) + number_field(version) + number_field(oldest_reader);
  }
  void insert_record(std::size_t position, std::uint16_t type, std::string content) {
    records_.insert(records_.begin() + static_cast<std::ptrdiff_t>(position),
                    Part{.number = type, .content = std::move(content)});
  }
  void remove_record(std::size_t position) {
    records_.erase(records_.begin() + static_cast<std::ptrdiff_t>(position));
  }
  void set_fields(std::size_t position, const std::vector<Part>& fields) {
    records_.at(position).content = joined(fields);
  }
  void add_field(std::size_t position, std::uint16_t tag, const std::string& content) {
    records_.at(position).content += joined({{.number = tag, .content = content}});
  }
  // Replaces the field with this tag.
  void set_field(std::size_t position, std::uint16_t tag, const std::string& content) {
    std::vector<Part> fields = fields_of(position);
    std::erase_if(fields, [tag](const Part& field) { return field.number == tag; });
    fields.push_back({.number = tag, .content = content});
    set_fields(position, fields);
  }

  [[nodiscard]] std::string bytes() const { return header_ + joined(records_); }

 private:
  static std::vector<Part> split(std::string_view text) {
    std::vector<Part> parts;
    while (!text.empty()) {
      Part part;
      std::uint32_t length = 0;
      std::memcpy(&part.number, text.data(), sizeof part.number);
      std::memcpy(&length, text.data() + sizeof part.number, sizeof length);
      part.content = text.substr(state_format::kPrefixBytes, length);
      text.remove_prefix(state_format::kPrefixBytes + length);
      parts.push_back(std::move(part));
    }
    return parts;
  }
  static std::string joined(const std::vector<Part>& parts) {
    std::string text;
    for (const Part& part : parts) {
      text += number_field(part.number);
      text += number_field(static_cast<std::uint32_t>(part.content.size()));
      text += part.content;
    }
    return text;
  }

  std::string header_;
  std::vector<Part> records_;
};

}  // namespace echod::test
