// What the connections and listeners of one worker share: where they take turns, what they may use,
// whom they tell. Declared so that each member may use those above it, and dies before them.
// Thread-safety: belongs to the worker's thread, but for `counters` and `buffers.bytes_taken()`.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>

#include "admission.hpp"
#include "buffer_pool.hpp"
#include "connection_log.hpp"
#include "connection_table.hpp"
#include "counters.hpp"
#include "echo_settings.hpp"
#include "event_loop.hpp"
#include "roster.hpp"

namespace echod {

struct EchoContext {
  // That of the worker with this number in the roster.
  EchoContext(EventLoop& event_loop, const EchoSettings& initial,
              std::shared_ptr<spdlog::logger> logger, std::shared_ptr<Roster> all_workers,
              std::size_t worker_number);

  // Makes sure that there is memory for one more connection; false when there is none.
  [[nodiscard]] bool reserve() noexcept { return table.reserve() && loop.reserve(); }
  // The connection, with room for it taken (admission.hpp), becomes this worker's. Only after
  // reserve() returned true.
  Connection& adopt(sys::Accepted accepted) noexcept;
  [[nodiscard]] Inbox& inbox() noexcept { return roster->inbox(worker); }

  // Takes over new settings; all of them hold from the next turn on.
  void apply(const EchoSettings& wanted) noexcept;

  // How soon what a shortage prevented is tried again when no close of ours can end the shortage.
  static constexpr std::chrono::milliseconds kRetryInterval{250};
  // Bytes looked at in one go when there is no block to read into.
  static constexpr std::size_t kPeekBytes = std::size_t{16} * 1024;

  EventLoop& loop;
  std::shared_ptr<Roster> roster;
  const std::size_t worker;
  EchoSettings settings;
  bool is_draining = false;  // Set once, when the worker is told to.
  Counters counters;
  ConnectionLog log;
  BufferPool buffers;
  std::array<std::byte, kPeekBytes> peek_room;
  Admission admission;
  ConnectionTable table;
};

}  // namespace echod
