// A worker without its thread, above a simulated kernel: the real loop, connections, buffers and
// admission, with clients that somebody else moves.
//
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>

#include "echo/connection_visit.hpp"
#include "echo/echo_context.hpp"
#include "echo/worker.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"
#include "simulated_kernel.hpp"

namespace echod::test {

// As small as can be: every state that is large is like one that is small.
struct WorldSettings {
  std::size_t connections = 1;
  SocketLimits socket{};
  std::size_t block_bytes = 2;
  std::size_t blocks = 1;  // For all connections; 0: they are served without.
  std::size_t turn_bytes = 2;
  std::uint32_t turn_reads = 2;
  std::size_t pipes = 0;  // Through which is spliced, from two bytes on; see world.cpp.
};

class World {
 public:
  World(Outside& outside, const WorldSettings& settings);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] SimulatedKernel& kernel() noexcept { return kernel_; }
  [[nodiscard]] EventLoop& loop() noexcept { return loop_; }
  [[nodiscard]] EchoContext& context() noexcept { return context_; }

  // Registers the connections, then makes iterations until the kernel is stopped. Each of them may
  // make a call that acts or stops.
  void run();

  // Has the daemon drain, as a worker does: it is woken up, and then visits all connections.
  void drain();
  [[nodiscard]] bool was_told_to_drain() const noexcept { return was_told_to_drain_; }

  // For Outside::on_block(), when nothing more is to happen but what every client does in the end:
  // they take all that is there for them; what should be then is checked; then they send FIN.
  // False: that is done, and all is as it should be, or something is not.
  bool let_end();

  // What the daemon knows at the beginning of a wait, that decides what it does later.
  void describe(Fingerprint& into);

 private:
  bool let_all(Act act);
  // Tells the channels on a ready list apart.
  [[nodiscard]] std::uint64_t number_of(const Channel& channel) const noexcept;
  void describe_list(IntrusiveList<Channel>& list, Fingerprint& into) const;
  void check_rest();
  void check_end();
  [[nodiscard]] std::uint64_t closed_for(CloseReason reason) const;
  [[nodiscard]] std::uint64_t expected_for(CloseReason reason) const;

  SharedState shared_;
  WorldSettings settings_;
  SimulatedKernel kernel_;
  EventLoop loop_;
  EchoContext context_;
  ConnectionVisit drain_visit_{loop_, context_.table,
                               [this](Connection& connection) {
                                 kernel_.set_begins_to_drain(true);
                                 connection.begin_drain();
                                 kernel_.set_begins_to_drain(false);
                               },
                               [] {}};
  Notifier on_drain_{loop_, [this] {
                       context_.is_draining = true;
                       drain_visit_.start();
                     }};
  bool was_told_to_drain_ = false;
};

}  // namespace echod::test
