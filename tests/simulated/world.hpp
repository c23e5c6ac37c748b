// A worker without its thread, on a simulated kernel: the real loop, connections, buffers and
// admission. The outside moves the clients.
//
// Thread-safety: none.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "echo/connection_visit.hpp"
#include "echo/echo_context.hpp"
#include "echo/worker.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"
#include "simulated_kernel.hpp"

namespace echod::test {

// As small as possible: larger queues and buffers have no new kinds of states.
struct WorldSettings {
  std::size_t connections = 1;
  SocketLimits socket{};
  std::size_t block_bytes = 2;
  std::size_t blocks = 1;  // For all connections together; 0: they are served without a buffer.
  std::size_t turn_bytes = 2;
  std::uint32_t turn_reads = 2;
  std::size_t pipes = 0;      // 0: no splice. Else two bytes or more are spliced; see world.cpp.
  bool has_timeouts = false;  // If so, those in world.cpp.
};

class World {
 public:
  World(Outside& outside, const WorldSettings& settings);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] SimulatedKernel& kernel() noexcept { return kernel_; }
  [[nodiscard]] EventLoop& loop() noexcept { return loop_; }
  [[nodiscard]] EchoContext& context() noexcept { return context_; }

  // Registers the connections, then runs iterations until the kernel is stopped. The outside may
  // act or stop the kernel at each call.
  void run();

  // Makes the daemon drain as a worker does: wakes the loop, which then visits all connections.
  void drain();
  [[nodiscard]] bool was_told_to_drain() const noexcept { return was_told_to_drain_; }
  // Makes the daemon close all connections at once.
  void abort();
  // Makes the daemon close a connection as for an operator.
  void close_by_operator(std::size_t connection);
  // Advances the clock, and makes the daemon look for timeouts.
  void let_time_pass(std::chrono::milliseconds time);
  // Changes the number of blocks, as a reload does.
  void set_blocks(std::size_t blocks);

  // Ends a run; call it from Outside::on_block() until it returns false. The clients take
  // everything that was sent to them, then the state is checked, then they send FIN, and the end is
  // checked. Returns false when that is done; see SimulatedKernel::violation() for the result.
  bool let_end();

  // Adds the state of the daemon at the begin of a wait, as far as it decides what it does later.
  void describe(Fingerprint& into);

 private:
  void carry_out_close();
  void reload();
  bool let_all(Act act);
  // Returns a number that identifies a channel on a ready list.
  [[nodiscard]] std::uint64_t number_of(const Channel& channel) const noexcept;
  void describe_list(IntrusiveList<Channel>& list, Fingerprint& into) const;
  void check_rest();
  void check_end();
  // Returns the reason that was counted since the last call.
  [[nodiscard]] CloseReason last_reason();
  // Returns the rule that is violated if the daemon closes the connection now; "" if there is none.
  [[nodiscard]] std::string judge_close(std::size_t connection);
  [[nodiscard]] const char* judge_close(std::size_t connection, CloseReason reason) const;

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
  ConnectionVisit abort_visit_{
      loop_, context_.table, [](Connection& connection) { connection.abort(CloseReason::forced); },
      [] {}};
  Notifier on_abort_{loop_, [this] { abort_visit_.start(); }};
  Notifier on_close_{loop_, [this] { carry_out_close(); }};
  ConnectionVisit timeout_visit_{
      loop_, context_.table, [](Connection& connection) { connection.check_timeouts(); }, [] {}};
  Notifier on_timeout_{loop_, [this] { timeout_visit_.start(); }};
  Notifier on_reload_{loop_, [this] { reload(); }};
  bool was_told_to_drain_ = false;
  bool was_told_to_abort_ = false;
  bool was_told_to_close_ = false;
  std::size_t to_close_ = 0;   // The connection that the operator closed last.
  std::size_t most_buffered_;  // Bytes that the daemon may ever buffer.
  std::array<std::uint64_t, kCloseReasons> closed_{};  // For each reason.
};

}  // namespace echod::test
