#include "world.hpp"

#include <spdlog/logger.h>

#include <cerrno>
#include <utility>

#include "config/net/socket_address.hpp"
#include "sys/invariant.hpp"

namespace echod::test {

namespace {

EchoSettings settings_of(const WorldSettings& settings) {
  EchoSettings result;
  result.max_connections = static_cast<std::uint32_t>(settings.connections);
  result.block_bytes = settings.block_bytes;
  result.buffer_bytes = settings.blocks * settings.block_bytes;
  result.turn_bytes = settings.turn_bytes;
  result.turn_reads = settings.turn_reads;
  result.turn_accepts = 1;
  result.splice = {.pipes = settings.pipes,
                   .pipe_bytes = 3,
                   .least_bytes = 2,
                   .unacknowledged_bytes = 2,
                   .pins = 6,
                   .patience = 1,
                   .copies_after_small_pieces = 1};
  result.reads_per_sample = 2;
  result.timeouts.idle = {};
  result.timeouts.stalled_write = {};
  return result;
}

std::shared_ptr<spdlog::logger> silent_logger() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("silent");
    made->set_level(spdlog::level::off);
    return made;
  }();
  return logger;
}

// Returns the reason that a connection must be closed for, given its first error.
CloseReason reason_for(int first_error) {
  switch (first_error) {
    case 0:
      return CloseReason::peer_closed;
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
      return CloseReason::reset;
    case ETIMEDOUT:
      return CloseReason::timed_out;
    default:
      return CloseReason::io_error;
  }
}

}  // namespace

World::World(Outside& outside, const WorldSettings& settings)
    : shared_(settings_of(settings), 1),
      settings_(settings),
      kernel_(outside, settings.socket, settings.blocks > 0 ? settings.block_bytes : 0),
      context_(loop_, settings_of(settings), silent_logger(), shared_.line_limits,
               {shared_.admission, 0}) {
  for (std::size_t i = 0; i < settings_.connections; ++i) {
    (void)kernel_.connect();
  }
}

void World::run() {
  const SocketAddress peer = settings_.socket.is_local ? SocketAddress::of_process(4711, 1000)
                                                       : *SocketAddress::parse("192.0.2.1", 5555);
  for (std::size_t i = 0; i < settings_.connections; ++i) {
    shared_.admission.take_slot();
    shared_.admission.count_connection(context_.admission.worker);
    const int fd = SimulatedKernel::kFirstFd + static_cast<int>(i);
    invariant(context_.reserve(), "there is memory for a few connections");
    context_.adopt({.fd = sys::UniqueFd::adopt(fd), .peer = peer}, 0);
  }
  context_.table.destroy_retired();  // As at the end of an iteration, which accepts connections.
  while (!kernel_.is_stopped()) {
    loop_.run_once();
    context_.table.destroy_retired();
    if (context_.relay.buffered_bytes() > context_.settings.buffer_bytes) {
      kernel_.violate("it buffers more bytes than allowed");
    }
  }
}

void World::drain() {
  kernel_.note("echod is told to drain");
  was_told_to_drain_ = true;
  on_drain_.notify();
}

bool World::let_all(Act act) {
  bool has_acted = false;
  for (std::size_t i = 0; i < kernel_.connections(); ++i) {
    while (kernel_.can(act, i)) {
      kernel_.act(act, i);
      has_acted = true;
    }
  }
  return has_acted;
}

bool World::let_end() {
  if (let_all(Act::take)) {
    return true;
  }
  check_rest();
  if (!kernel_.is_stopped() && let_all(Act::finish)) {
    return true;
  }
  check_end();
  return false;
}

// Checks the state when the daemon waits for an event and no client acts any more.
void World::check_rest() {
  for (std::size_t i = 0; i < kernel_.connections(); ++i) {
    if (kernel_.is_closed(i)) {
      continue;
    }
    const SimulatedSocket& socket = kernel_.socket(i);
    if (socket.is_reset()) {
      kernel_.violate("a reset was not noticed, and no turn is scheduled");
    }
    if (socket.written() != kernel_.owed_end(i) || socket.unread() > 0) {
      kernel_.violate("bytes wait, and no turn is scheduled");
    }
    if (socket.has_fin() || (kernel_.is_draining(i) && !socket.is_shut())) {
      kernel_.violate("the end is owed, and no turn is scheduled");
    }
  }
  if (context_.relay.buffered_bytes() > 0) {
    kernel_.violate("a buffer is kept although nothing is owed");
  }
}

void World::check_end() {
  if (context_.table.size() > 0 || shared_.admission.connections() > 0) {
    kernel_.violate("a connection is kept after its end");
  }
  for (const CloseReason reason : {CloseReason::peer_closed, CloseReason::reset,
                                   CloseReason::timed_out, CloseReason::io_error}) {
    if (closed_for(reason) != expected_for(reason)) {
      kernel_.violate("the counted reason is not that of the first error");
    }
  }
}

std::uint64_t World::closed_for(CloseReason reason) const {
  const std::uint64_t drained = reason == CloseReason::peer_closed
                                    ? context_.counters.get(counter_of(CloseReason::drained))
                                    : 0;
  return context_.counters.get(counter_of(reason)) + drained;
}

std::uint64_t World::expected_for(CloseReason reason) const {
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < kernel_.connections(); ++i) {
    expected += reason_for(kernel_.first_error(i)) == reason ? 1U : 0U;
  }
  return expected;
}

}  // namespace echod::test
