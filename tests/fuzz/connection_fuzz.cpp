// Fuzzes the connections of one worker, which share reply buffers. The input decides what arrives,
// and what recv, send and epoll return. Every byte must be sent back once and in order, and no
// connection may wait for an event that never comes.
//
// The input decides what happens between two iterations of the loop (do_next), and the results of
// the calls inside an iteration (simulated_peers.cpp).
#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "all_connections.hpp"
#include "echo/connection.hpp"
#include "echo/echo_context.hpp"
#include "echo/worker.hpp"
#include "loop/event_loop.hpp"
#include "simulated_peers.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kBlockBytes = 16;
constexpr std::size_t kMostOpen = 4;

EchoSettings fuzz_settings() {
  EchoSettings settings;
  settings.max_connections = kMostOpen;
  settings.block_bytes = kBlockBytes;
  settings.buffer_bytes = 2 * kBlockBytes;
  settings.turn_bytes = 64;
  settings.turn_reads = 8;
  settings.turn_accepts = 4;
  settings.splice = {.pipes = 1,
                     .pipe_bytes = 12,
                     .least_bytes = 4,
                     .unacknowledged_bytes = 20,
                     .pins = 16,
                     .patience = 2,
                     .copies_after_small_pieces = 2};
  settings.reads_per_sample = 2;
  settings.timeouts.idle = std::chrono::seconds(4);
  settings.timeouts.stalled_write = std::chrono::seconds(3);
  settings.timeouts.linger = std::chrono::seconds(2);
  return settings;
}

class FuzzedWorker {
 public:
  explicit FuzzedWorker(FuzzInput input) : input_(input) {
    // A failure that the scripted kernel reports ends the process.
    GTEST_FLAG_SET(break_on_failure, true);
  }

  void run() {
    while (!input_.is_empty()) {
      do_next();
    }
    settle();
    require(context_.relay.buffered_bytes() == 0, "all reply buffers are given back");
    require(context_.table.size() == 0 && shared_.admission.connections() == 0,
            "no connection is left");
    std::uint64_t sent = 0;
    for (const SimulatedPeer& peer : peers_.all()) {
      sent += peer.sent;
    }
    require(context_.counters.get(Counter::bytes_sent) == sent, "what is sent is counted");
  }

 private:
  void iterate() {
    loop_.run_once();
    context_.table.destroy_retired();
  }

  void do_next() {
    constexpr std::uint8_t kAtOnce = 0x80;  // The next event happens before the next iteration.
    const std::uint8_t what = input_.byte();
    constexpr std::uint8_t kToAll = 4;
    if (what % kAtOnce < kToAll || peers_.all().empty()) {
      do_to_all(what % kAtOnce);
    } else {
      auto& all = peers_.all();
      SimulatedPeer& peer = all[input_.byte() % all.size()];
      if (!peer.is_closed) {
        do_to_one(what % kAtOnce - kToAll, peer);
      }
    }
    if ((what & kAtOnce) == 0) {
      iterate();
    }
  }

  void do_to_all(unsigned what) {
    switch (what) {
      case 1:
        return let_time_pass();
      case 2:
        return stop();
      case 3: {
        EchoSettings settings = fuzz_settings();
        settings.buffer_bytes = input_.byte() % 4 * kBlockBytes;
        return context_.apply(settings);
      }
      default:
        return connect();
    }
  }

  void do_to_one(unsigned what, SimulatedPeer& peer) {
    switch (what % 8) {
      case 0:
        return peers_.arrive(peer, input_.byte());
      case 1:
        return peers_.make_room(peer, input_.byte());
      case 2:
        return peers_.acknowledge(peer, input_.byte());
      case 3:
        return peers_.finish(peer);
      case 4:
        return peers_.arrive_urgent(peer);
      case 5:
        return peers_.raise(peer);
      case 6:
        return peers_.fail(peer, input_.byte() % 2 == 0 ? ECONNRESET : ETIMEDOUT);
      default:
        peers_.arrive(peer, input_.byte());
        return peers_.make_room(peer, input_.byte());
    }
  }

  void connect() {
    if (peers_.open() == kMostOpen) {
      return;
    }
    require(context_.table.reserve(), "there is memory for a connection");
    shared_.admission.take_slot();
    shared_.admission.count_connection(context_.admission.worker);
    auto fd = sys::UniqueFd::adopt(peers_.add(input_.byte()));
    context_.table.create(context_, 0, std::move(fd), SocketAddress()).start();
  }

  void let_time_pass() {
    kernel_.advance(std::chrono::milliseconds(40) * input_.byte());
    loop_.run_once();
    visit_all(context_.table, [](Connection& connection) { connection.check_timeouts(); });
    context_.table.destroy_retired();
  }

  // The first call begins to drain; the next ones abort all connections.
  void stop() {
    if (!std::exchange(context_.is_draining, true)) {
      peers_.drain();
      visit_all(context_.table, [](Connection& connection) { connection.begin_drain(); });
      return;
    }
    peers_.allow_abort();
    visit_all(context_.table,
              [](Connection& connection) { connection.abort(CloseReason::forced); });
    context_.table.destroy_retired();
  }

  // From now on nothing fails, and the peers take everything and send FIN. All connections must
  // end.
  void settle() {
    constexpr std::size_t kPlenty = std::size_t{1} << 30;
    for (SimulatedPeer& peer : peers_.all()) {
      peers_.finish(peer);
      peers_.make_room(peer, kPlenty);
    }
    constexpr int kMostRounds = 100'000;
    for (int round = 0; peers_.open() > 0; ++round) {
      require(round < kMostRounds, "no connection takes turns without end");
      for (SimulatedPeer& peer : peers_.all()) {
        peers_.acknowledge(peer, kPlenty);
      }
      const bool is_anything = peers_.is_any_raised();
      iterate();
      require(is_anything || !peers_.is_at_rest(), "no connection waits for an event without end");
    }
    context_.table.destroy_retired();  // There may have been no iteration after the last close.
  }

  FuzzInput input_;
  ScriptedKernel kernel_;
  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>("none");
  EventLoop loop_;
  SharedState shared_{fuzz_settings(), 1};
  EchoContext context_{
      loop_, fuzz_settings(), logger_, shared_.line_limits, {shared_.admission, 0}};
  SimulatedPeers peers_{kernel_, input_, context_.counters};
};

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  echod::test::FuzzedWorker({data, size}).run();
  return 0;
}
