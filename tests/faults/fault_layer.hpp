// A layer between the daemon and the kernel that injects a fault (only in echod-faults).
//
// It counts every system call by its path: its return address and those of the two callers above.
// So sys::send() called by a flush and by an echo are two paths. The plan, which is one fault or
// none, is in the environment:
//
//   ECHOD_FAULTS=FILE       counts go to shared files, which survive a crash: FILE.1, FILE.2, ...
//   ECHOD_FAULT="program N call PATH NTH ACTION VALUE"
//                           hits call number NTH on a path (hexadecimal hash)
//   ECHOD_FAULT="program N allocation NTH COUNT"
//                           fails COUNT allocations, from number NTH on
//
// An upgrade in place runs the program again: in a child, which checks it, and then by execve(2).
// Each run gets the first number that is free, so program 1 is the first one, 2 is the first check,
// and 3 is the next program, or a second check if the first one refused. The plan is for program N
// only.
//
// A file is a table of 64-bit numbers in the byte order of the machine; records.py reads it.
//
// Thread-safety: any thread. It does not allocate, because it counts allocations.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace echod::test {

// What happens to one system call.
struct Fault {
  enum class Action : std::uint64_t {
    none,
    fail,   // It is not made and fails with the errno `value`.
    after,  // It is made, and then fails with the errno `value`, as close(2) can.
    cut,    // It gets a length of at most `value`: a short read or write.
    part,   // It is cut to a few bytes, and the next one fails, as on a disk that fills up.
  };
  Action action = Action::none;
  int value = 0;
};

// Where a call comes from: return addresses relative to the start of the executable, 0 for callers
// outside of it. The executable is built with frame pointers; its callers may have none.
struct CallPath {
  static constexpr std::size_t kDepth = 4;

  // Returns the path of a function with this frame.
  static CallPath above(const void* frame) noexcept;
  [[nodiscard]] std::uint64_t hash() const noexcept;

  std::array<std::uint64_t, kDepth> returns{};
};

class FaultLayer {
 public:
  // The first call reads the plan; main() makes it before any allocation. Allocations of static
  // constructors are not counted, because their failure could not be reported.
  static FaultLayer& instance() noexcept;
  // Returns null before the first call of instance().
  static FaultLayer* started() noexcept { return started_.load(std::memory_order_acquire); }

  // Counts a call on `fd` (-1 if it has none). Returns what must happen to it.
  Fault on_call(const CallPath& path, int fd) noexcept;
  // Counts an allocation. Returns true if it must fail.
  bool on_allocation() noexcept;

  // Stores that `fd` is a connection of the peer with this port.
  void note_peer(int fd, std::uint16_t port) noexcept;
  [[nodiscard]] bool has_peer(int fd) const noexcept { return peer_port(fd) != 0; }
  void note_registration(int epoll, int operation, int fd, const epoll_event* event) noexcept;
  void forget(int fd) noexcept;

  // Makes epoll report the pending events of `fd` again. After EAGAIN or a short result, the kernel
  // raises an edge as soon as there is more, so an injected fault must do the same.
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
    Word faults;                        // How often the fault was injected.
    Word peer_port;                     // The peer's port, if a connection was hit.
    Word paths_lost;                    // Calls on paths that did not fit into the table.
    std::array<Word, 24> allocated_by;  // Return addresses of the last allocation that failed.
    std::array<Word, 2> thread;         // The name of its thread, padded with zeros.
    std::array<Path, 2048> paths;
  };
  struct Registration {
    int epoll = -1;
    int fd = -1;
    epoll_event event{};
  };
  struct Plan {
    std::uint64_t path = 0;
    std::uint64_t nth = 0;  // Counted from 1.
    Fault fault;
    std::uint64_t first_allocation = 0;
    std::uint64_t allocations = 0;
  };

  FaultLayer() noexcept;
  void read_plan(const char* text, unsigned program) noexcept;
  // 0 if it is no connection. Asks the kernel about those that an earlier program has accepted.
  [[nodiscard]] std::uint16_t peer_port(int fd) const noexcept;
  [[nodiscard]] Path* find(const CallPath& path) noexcept;

  static std::atomic<FaultLayer*> started_;

  Plan plan_;
  Record* record_ = nullptr;
  std::array<std::atomic<std::uint16_t>, 4096> peer_ports_{};
  std::mutex mutex_;  // Guards registrations_.
  std::array<Registration, 1024> registrations_{};
};

}  // namespace echod::test
