// The workers of one daemon as they see each other: how many connections each has, how many they
// may have together, who waits for room, what may be logged. It is all that workers share, and is
// used when a connection comes or goes, never for its bytes.
//
// Who accepts a connection keeps it, unless another worker has clearly fewer: then it goes there.
// docs/spreading.md has the alternatives, and what was measured.
//
// Thread-safety: any thread, at any time. Inboxes and line limits take locks, the rest does not.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "clock.hpp"
#include "inbox.hpp"
#include "line_limits.hpp"
#include "listen_socket.hpp"

namespace echod {

class Roster {
 public:
  // Workers have the numbers from 0 on.
  Roster(std::uint32_t max_connections, std::size_t workers);

  [[nodiscard]] std::uint32_t connections() const noexcept { return connections_.load(); }
  [[nodiscard]] std::uint32_t max_connections() const noexcept { return max_connections_.load(); }
  [[nodiscard]] bool is_full() const noexcept { return connections() >= max_connections(); }
  [[nodiscard]] std::uint32_t connections_of(std::size_t worker) const noexcept {
    return seats_[worker].connections.load(std::memory_order_relaxed);
  }

  // Those who are in stay when the bound sinks below their number. Wakes nobody.
  void set_max_connections(std::uint32_t max_connections) noexcept {
    max_connections_.store(max_connections);
  }
  // Takes room for one more connection, if there is any. Once it is accepted spread() or keep()
  // counts it for its worker, and not before: a look at an empty queue makes nobody seem fuller. If
  // nobody came the room is given back.
  [[nodiscard]] bool try_enter() noexcept;
  // The same whether there is room or not.
  void enter() noexcept { connections_.fetch_add(1); }
  void give_back() noexcept { connections_.fetch_sub(1); }

  // Gives the first of `accepted`, which `worker` accepted, to the one that should have it. False:
  // it should stay where it is.
  [[nodiscard]] bool spread(std::size_t worker, Inbox::Connections& accepted,
                            sys::TimePoint now) noexcept;
  void keep(std::size_t worker) noexcept {
    seats_[worker].connections.fetch_add(1, std::memory_order_relaxed);
  }
  // A connection of `worker` has gone, its room with it. Wakes nobody.
  void leave(std::size_t worker) noexcept;

  // `worker` has no memory for the connections it was given: another one gets the first, and for a
  // while none is given to `worker`. False: nobody takes it, and it stays the caller's.
  [[nodiscard]] bool pass_on(std::size_t worker, Inbox::Connections& given,
                             sys::TimePoint now) noexcept;

  // `late` has not looked into its inbox, maybe because it is stuck: what is in there goes to the
  // others, and it is given nothing until it has looked.
  void relieve(std::size_t late, sys::TimePoint now) noexcept;

  // What `worker` waits for from now on, or nothing. Whoever sets for_room must look at is_full()
  // once more afterwards: room that came just before was told to nobody.
  enum class Wait : std::uint8_t { nothing, for_resources, for_room };
  void set_wait(std::size_t worker, Wait wait) noexcept;
  // Picks one of the workers that wait, each in its turn, but for those that are late, and sets its
  // wait to nothing. True if it is `worker` itself; another one is told.
  [[nodiscard]] bool wake_one(std::size_t worker, Waiters waiters) noexcept;

  [[nodiscard]] LineLimits& line_limits() noexcept { return line_limits_; }
  [[nodiscard]] Inbox& inbox(std::size_t worker) noexcept { return seats_[worker].inbox; }

 private:
  static constexpr std::size_t kCacheLine = 64;
  static constexpr std::uint32_t kAnyNumber = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::size_t kNobody = std::numeric_limits<std::size_t>::max();

  struct alignas(kCacheLine) Seat {
    std::atomic<std::uint32_t> connections{0};
    std::atomic<Wait> wait{Wait::nothing};
    std::atomic<sys::TimePoint> out_of_memory_until{};
    Inbox inbox;
  };

  [[nodiscard]] bool give(Inbox::Connections& from, std::uint32_t below,
                          sys::TimePoint now) noexcept;
  [[nodiscard]] std::size_t emptiest(std::uint32_t below, sys::TimePoint now) const noexcept;

  alignas(kCacheLine) std::atomic<std::uint32_t> connections_{0};
  std::atomic<std::uint32_t> max_connections_;
  std::atomic<std::uint32_t> waiting_{0};  // Seats whose wait is not nothing.
  std::atomic<std::size_t> next_to_wake_{0};
  std::vector<Seat> seats_;
  LineLimits line_limits_;
};

}  // namespace echod
