// Fuzzes the state of an upgrade in place. Any bytes are either refused with one line, or give a
// state that is safe to use and that is the same after it was written and read again.
//
// An input is the content of the file.
#include <set>
#include <span>

#include "fuzz_target.hpp"
#include "sys/memory_file.hpp"
#include "upgrade/state_reader.hpp"
#include "upgrade/state_writer.hpp"

namespace echod::test {
namespace {

std::string written(const UpgradeState& state) {
  sys::MemoryFile file("state of a test");
  write_state(state, file);
  const sys::MemoryMap map(file.fd());
  return {reinterpret_cast<const char*>(map.bytes().data()), map.bytes().size()};
}

void require_safe(const UpgradeState& state) {
  require(state.connections.size() == state.service.connections, "all connections are there");
  std::set<int> descriptors;
  const auto require_new = [&descriptors](int fd) {
    require(fd >= 3 && descriptors.insert(fd).second, "a descriptor appears once");
  };
  for (const ListenerState& listener : state.service.listeners) {
    require_new(listener.fd);
    if (listener.lock_fd != -1) {
      require_new(listener.lock_fd);
    }
    require(listener.protocol <= Protocol::udp, "a listener has a protocol");
  }
  const AdminState& admin = state.service.admin;
  for (const int fd : {admin.unix_fd, admin.unix_lock_fd, admin.tcp_fd}) {
    if (fd != -1) {
      require_new(fd);
    }
  }
  for (const ParkedConnection& connection : state.connections) {
    require_new(connection.fd);
    require(connection.worker < state.service.workers.size(), "a connection has a worker");
    require(connection.state <= ParkedConnection::State::delivering, "a connection has a state");
    require((connection.pipe_read_end == -1) == (connection.pipe_write_end == -1),
            "a pipe has both ends");
    if (connection.pipe_read_end != -1) {
      require_new(connection.pipe_read_end);
      require_new(connection.pipe_write_end);
    }
    require(connection.pipe_bytes == 0 || connection.owed.empty(), "bytes are in one place");
  }
}

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace echod;
  try {
    const UpgradeState state = read_state(std::as_bytes(std::span(data, size)));
    test::require_safe(state);
    const std::string once = test::written(state);
    const std::string twice = test::written(read_state(std::as_bytes(std::span(once))));
    test::require(once == twice, "a state that was read and written is the same");
  } catch (const StateError& error) {
    test::require(test::is_one_line(error.what()), "a refusal is one line", error.what());
  }
  return 0;
}
