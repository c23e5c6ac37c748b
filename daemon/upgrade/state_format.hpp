// The format of the state (docs/upgrade-state.md): the numbers of records and fields, and which
// value of state.hpp each field holds. Writer and reader share it.
//
// A `visit_...` function names the fields of one record, in the order in which they are written. A
// visitor has these functions:
//   field(tag, name, value)             a field that must be there, once
//   optional(tag, name, bytes)          it is left out if it is empty
//   descriptor(tag, name, fd)           a descriptor that must be there
//   optional_descriptor(tag, name, fd)  it is left out if it is -1
//   counts(tag, name, values)           a field for each value, so there may be none
// Names are for error messages. A tag is below kMostTags. A tag that was used is never used again
// for another value.
//
// Thread-safety: constants, and functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace echod::state_format {

inline constexpr std::string_view kMagic = "ECHODUPG";
// Of the states that this program writes. Raised with each change of the format.
inline constexpr std::uint16_t kVersion = 1;
// The oldest format version whose programs can read these states. Raised only if a program of an
// older version would misunderstand them.
inline constexpr std::uint16_t kOldestReader = 1;
// Magic, version, oldest reader.
inline constexpr std::size_t kHeaderBytes = kMagic.size() + 2 * sizeof(std::uint16_t);
// Before a record and before a field: a number (type or tag), and the length of what follows.
inline constexpr std::size_t kPrefixBytes = sizeof(std::uint16_t) + sizeof(std::uint32_t);
inline constexpr std::uint16_t kMostTags = 32;

enum class RecordType : std::uint16_t {
  service = 1,
  listener = 2,
  admin = 3,
  worker = 4,
  connection = 5,
  end = 6,
};

// For error messages.
[[nodiscard]] constexpr const char* record_name(std::uint16_t type) noexcept {
  switch (static_cast<RecordType>(type)) {
    case RecordType::service:
      return "service";
    case RecordType::listener:
      return "listener";
    case RecordType::admin:
      return "admin";
    case RecordType::worker:
      return "worker";
    case RecordType::connection:
      return "connection";
    case RecordType::end:
      return "end";
  }
  return "unknown";
}

template <typename Visitor, typename Service>
void visit_service(Visitor& visitor, Service& service) {
  visitor.field(1, "version", service.version);
  visitor.field(2, "configuration", service.config_text);
  visitor.field(3, "start of the process", service.process_started_at);
  visitor.field(4, "begin of the pause", service.pause_began_ms);
  visitor.field(5, "requester", service.reload_requester);
  visitor.counts(6, "count", service.counts);
  visitor.field(7, "number of connections", service.connections);
  visitor.field(8, "foreign descriptors", service.foreign_descriptors);
}

template <typename Visitor, typename Listener>
void visit_listener(Visitor& visitor, Listener& listener) {
  visitor.descriptor(1, "descriptor", listener.fd);
  visitor.field(2, "configured address", listener.wanted);
  visitor.field(3, "bound address", listener.address);
  visitor.field(4, "v6only", listener.v6only);
  visitor.field(5, "passed", listener.is_passed);
  visitor.field(6, "fallback to IPv4", listener.fell_back_to_v4);
  visitor.field(7, "dropped before", listener.dropped_before);
  visitor.field(8, "protocol", listener.protocol);
  visitor.field(9, "path", listener.path);
  visitor.optional_descriptor(10, "lock", listener.lock_fd);
  visitor.field(11, "device of the path", listener.file_device);
  visitor.field(12, "inode of the path", listener.file_inode);
}

template <typename Visitor, typename Admin>
void visit_admin(Visitor& visitor, Admin& admin) {
  visitor.optional_descriptor(1, "UNIX socket", admin.unix_fd);
  visitor.optional_descriptor(2, "lock", admin.unix_lock_fd);
  visitor.field(3, "path", admin.unix_path);
  visitor.optional_descriptor(4, "TCP socket", admin.tcp_fd);
  visitor.field(5, "TCP address", admin.tcp_address);
  visitor.field(6, "device of the path", admin.unix_device);
  visitor.field(7, "inode of the path", admin.unix_inode);
}

template <typename Visitor, typename Worker>
void visit_worker(Visitor& visitor, Worker& worker) {
  visitor.counts(1, "counter", worker.counters);
  visitor.field(2, "bounds of delays", worker.delay_bounds_ns);
  visitor.field(3, "counts of delays", worker.delay_counts);
  visitor.field(4, "sum of delays", worker.delay_sum_ns);
  visitor.field(5, "accepted by listener", worker.accepted_by_listener);
  visitor.field(6, "stale events", worker.stale_events);
}

template <typename Visitor, typename Connection>
void visit_connection(Visitor& visitor, Connection& connection) {
  visitor.field(1, "worker", connection.worker);
  visitor.field(2, "listener", connection.listener);
  visitor.descriptor(3, "descriptor", connection.fd);
  visitor.field(4, "peer", connection.peer);
  visitor.field(5, "state", connection.state);
  visitor.field(6, "bytes received", connection.bytes_received);
  visitor.field(7, "time opened", connection.opened);
  visitor.field(8, "time of progress", connection.progress);
  visitor.field(9, "unacknowledged bytes", connection.unacknowledged);
  visitor.field(10, "pinned memory", connection.pins_memory);
  visitor.optional_descriptor(11, "reading end of the pipe", connection.pipe_read_end);
  visitor.optional_descriptor(12, "writing end of the pipe", connection.pipe_write_end);
  visitor.field(13, "bytes in the pipe", connection.pipe_bytes);
  visitor.optional(14, "owed bytes", connection.owed);
}

}  // namespace echod::state_format
