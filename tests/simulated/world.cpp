#include "world.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "all_connections.hpp"
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
                   .most_rounds = 2,
                   .most_rounds_in_all = 3,
                   .patience = 1,
                   .copies_after_small_pieces = 1};
  result.reads_per_sample = 2;
  using std::chrono::seconds;
  result.timeouts = {.idle = seconds(settings.has_timeouts ? 4 : 0),
                     .stalled_write = seconds(settings.has_timeouts ? 3 : 0),
                     .linger = seconds(2)};
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
      kernel_(outside, settings.socket, settings.blocks > 0 ? settings.block_bytes : 0,
              [this](std::size_t connection) { return judge_close(connection); }),
      context_(loop_, settings_of(settings), silent_logger(), shared_.line_limits,
               shared_.pinned_rounds, {shared_.admission, 0}),
      most_buffered_(settings.blocks * settings.block_bytes) {
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
    if (context_.relay.buffered_bytes() > most_buffered_) {
      kernel_.violate("it buffers more bytes than allowed");
    }
  }
}

void World::drain() {
  kernel_.note("echod is told to drain");
  was_told_to_drain_ = true;
  on_drain_.notify();
}

void World::abort() {
  kernel_.note("echod is told to close all connections");
  was_told_to_abort_ = true;
  on_abort_.notify();
}

void World::close_by_operator(std::size_t connection) {
  kernel_.note("an operator closes connection " + std::to_string(connection));
  was_told_to_close_ = true;
  to_close_ = connection;
  on_close_.notify();
}

void World::carry_out_close() {
  visit_all(context_.table, [this](Connection& connection) {
    if (connection.table_index() == to_close_) {
      connection.close_by_operator();
    }
  });
}

void World::let_time_pass(std::chrono::milliseconds time) {
  kernel_.note(std::to_string(time.count()) + " ms pass");
  kernel_.advance(time);
  on_timeout_.notify();
}

void World::set_blocks(std::size_t blocks) {
  kernel_.note("echod may have " + std::to_string(blocks) + " blocks");
  settings_.blocks = blocks;
  if (blocks > 0) {
    kernel_.set_most_owed(settings_.block_bytes);
  }
  most_buffered_ = std::max(most_buffered_, blocks * settings_.block_bytes);
  on_reload_.notify();
}

void World::reload() {
  context_.apply(settings_of(settings_));
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
  if (shared_.pinned_rounds > 0) {
    kernel_.violate("a spliced round is counted after the end of its connection");
  }
  const Counters& counters = context_.counters;
  if (counters.get(Counter::bytes_received) !=
      counters.get(Counter::bytes_sent) + counters.get(Counter::bytes_lost)) {
    kernel_.violate("bytes are counted neither as sent nor as lost");
  }
}

CloseReason World::last_reason() {
  for (std::size_t i = 0; i < kCloseReasons; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    if (context_.counters.get(counter_of(reason)) > closed_.at(i)) {
      ++closed_.at(i);
      return reason;
    }
  }
  kernel_.violate("it closes a connection without a reason");
  return CloseReason::io_error;
}

std::string World::judge_close(std::size_t connection) {
  const CloseReason reason = last_reason();
  const SimulatedSocket& socket = kernel_.socket(connection);
  const bool is_finished = reason == CloseReason::peer_closed || reason == CloseReason::drained;
  // A UNIX socket has no reset, and a socket that was reset needs none.
  const bool may_need_reset = !settings_.socket.is_local && !socket.is_reset();
  if (!is_finished && may_need_reset && !kernel_.resets_on_close(connection)) {
    if (!socket.is_shut() && socket.read() > socket.written()) {
      return "it sends FIN although bytes are missing";
    }
    if (kernel_.first_error(connection) == 0 && reason != CloseReason::forced &&
        socket.unacknowledged() > 0) {
      return "it leaves unacknowledged bytes to an orphaned socket";
    }
  }
  if (const int error = kernel_.first_error(connection); error != 0) {
    return reason == reason_for(error) ? "" : "the counted reason is not that of the first error";
  }
  return judge_close(connection, reason);
}

const char* World::judge_close(std::size_t connection, CloseReason reason) const {
  const SimulatedSocket& socket = kernel_.socket(connection);
  const bool is_all_written = socket.written() == kernel_.owed_end(connection);
  switch (reason) {
    case CloseReason::peer_closed:
    case CloseReason::drained:
      if (kernel_.is_draining(connection) != (reason == CloseReason::drained)) {
        return "the counted reason is a drain, or should be";
      }
      if (socket.is_reset()) {
        return "";  // Nobody knows yet.
      }
      if (!socket.has_fin() || socket.unread() > 0) {
        return "it closes a connection that the client has not finished";
      }
      return is_all_written && (socket.unacknowledged() == 0 || settings_.socket.is_local)
                 ? ""
                 : "it closes before the client has everything";
    case CloseReason::idle_timeout:
      return socket.written() == socket.read() && kernel_.was_all_read(connection)
                 ? ""
                 : "it takes a connection for idle that is owed bytes";
    case CloseReason::stalled_write:
      return socket.written() < socket.read() || !kernel_.was_all_acknowledged(connection)
                 ? ""
                 : "it takes a client for stalled that is owed nothing";
    case CloseReason::linger_timeout:
      return kernel_.is_draining(connection) && is_all_written && socket.is_shut() &&
                     kernel_.was_all_acknowledged(connection)
                 ? ""
                 : "it stops lingering before the client has everything";
    case CloseReason::by_operator:
      return was_told_to_close_ ? "" : "no operator closed a connection";
    case CloseReason::forced:
      return was_told_to_abort_ ? "" : "it was not told to close all connections";
    default:
      return "an error was counted that no call has returned";
  }
}

}  // namespace echod::test
