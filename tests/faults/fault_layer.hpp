// The layer between the daemon and the system that fails what a plan names (echod-faults only).
//
// It counts every system call by its path: the address that it returns to and the two above, so
// that sys::send() called by a flush and by an echo are told apart. The plan, one fault or none, is
// in the environment:
//
//   ECHOD_FAULTS=FILE               counts go to this file, shared, so that they survive a crash
//   ECHOD_FAULT="call PATH NTH ACTION VALUE"    of the calls on a path (hexadecimal), that one
//   ECHOD_FAULT="allocation NTH COUNT"          of all allocations, COUNT from that one on
//
// The file is a table of 64-bit numbers in the machine's order; records.py reads it.
//
// Thread-safety: any thread. Allocates nothing, since allocations are what it counts.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace echod::test {

// What happens to one call.
struct Fault {
  enum class Action : std::uint64_t {
    none,
    fail,   // It is not made, and reports the errno `value`.
    after,  // It is made, and reports the errno `value` all the same: close(2) has closed then.
    cut,    // It is given a length of at most `value`: a short read or write.
    part,   // It is cut to a few bytes, and the next one fails: a disk that fills up.
  };
  Action action = Action::none;
  int value = 0;
};

// Where a call comes from: return addresses relative to the start of the executable, 0 beyond it.
// The executable has frame pointers, what it is called by may have none.
struct CallPath {
  static constexpr std::size_t kDepth = 3;

  // That of a function with this frame.
  static CallPath above(const void* frame) noexcept;
  [[nodiscard]] std::uint64_t hash() const noexcept;

  std::array<std::uint64_t, kDepth> returns{};
};

class FaultLayer {
 public:
  // Reads the plan when it is called first, which main() does before it allocates anything: what
  // static constructors allocate is not counted, for nobody could report its failure.
  static FaultLayer& instance() noexcept;
  // Nothing before that.
  static FaultLayer* started() noexcept { return started_.load(std::memory_order_acquire); }

  // Counts a call on `fd` (-1: on none) and says what is to happen to it.
  Fault on_call(const CallPath& path, int fd) noexcept;
  // Counts an allocation. True: it fails.
  bool on_allocation() noexcept;

  // The descriptor is a connection of the peer that has this port.
  void note_peer(int fd, std::uint16_t port) noexcept;
  [[nodiscard]] bool has_peer(int fd) const noexcept;
  void note_registration(int epoll, int operation, int fd, const epoll_event* event) noexcept;
  void forget(int fd) noexcept;

  // Raises what is pending on `fd` once more. The kernel says EAGAIN, or gives less than it was
  // asked for, only if an edge follows when there is more; so must a fault.
  void raise_again(int fd) noexcept;

 private:
  using Word = std::atomic<std::uint64_t>;
  struct Path {
    Word hash;
    std::array<Word, CallPath::kDepth> returns;
    Word calls;
  };
  struct Record {
    Word calls;
    Word allocations;
    Word faults;                        // How often the plan came true.
    Word peer_port;                     // Of the connection that was hit, if it was one.
    Word paths_lost;                    // There was no room for so many.
    std::array<Word, 24> allocated_by;  // The last allocation that failed: where it returns to.
    std::array<Path, 2048> paths;
  };
  struct Registration {
    int epoll = -1;
    int fd = -1;
    epoll_event event{};
  };
  struct Plan {
    std::uint64_t path = 0;
    std::uint64_t nth = 0;  // From 1 on.
    Fault fault;
    std::uint64_t first_allocation = 0;
    std::uint64_t allocations = 0;
  };

  FaultLayer() noexcept;
  [[nodiscard]] Path* find(const CallPath& path) noexcept;

  static std::atomic<FaultLayer*> started_;

  Plan plan_;
  Record* record_ = nullptr;
  std::array<std::atomic<std::uint16_t>, 4096> peer_ports_{};
  std::mutex mutex_;  // Guards registrations_.
  std::array<Registration, 1024> registrations_{};
};

}  // namespace echod::test
