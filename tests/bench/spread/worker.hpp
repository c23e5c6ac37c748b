// A worker of the measured server: one thread, one epoll instance, connections that echo. The
// mechanisms differ only in the way a connection gets to its worker.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace spread {

using Clock = std::chrono::steady_clock;

enum class Mechanism {
  shared,     // One listening socket in every worker's epoll.
  exclusive,  // The same with EPOLLEXCLUSIVE.
  reuseport,  // A listening socket for each worker; the kernel picks one by a hash.
  acceptor,   // A thread that only accepts hands over to the worker with the fewest connections.
  handover,   // As `exclusive`, but a worker with too many hands over to the one with the fewest.
  passing_over,  // As `handover`, but not to a worker that leaves connections in its inbox.
  one_queue,     // As `exclusive`, but a worker with too many does not accept: it calls the worker
                 // with the fewest.
  rotating,  // As `one_queue`, but a worker that has more than another registers again, so that the
             // kernel wakes the other one first.
};

// A fault that keeps a worker from serving.
enum class Trouble {
  none,
  busy,   // Burns CPU for 50 ms of every 60 ms.
  stuck,  // Does nothing for the first 2 s.
};

constexpr std::chrono::seconds kStuck{2};

[[noreturn]] void fail(const char* what);

class Worker;

struct Crew {
  Mechanism mechanism;
  std::vector<std::unique_ptr<Worker>> workers;

  // Returns the worker that gets a connection that `accepting` has accepted.
  [[nodiscard]] Worker& choose(Worker& accepting) const;
  // With one queue: returns the worker that should accept instead of `accepting`, or null.
  // `accepting` may have more connections than the other, by 1/`tolerance` of the mean; 0: none.
  [[nodiscard]] Worker* instead_of(const Worker& accepting, std::uint32_t tolerance) const;
};

// The destructor does not close descriptors: the server has its own descriptor table (server.cpp).
class Worker {
 public:
  explicit Worker(const Crew& crew);

  void accept_from(int listener, std::uint32_t epoll_flags);  // Before run().
  void run(Trouble trouble);                                  // Until stop().

  // From any thread:
  void stop();
  void hand_over(int fd);
  void call();
  [[nodiscard]] std::uint32_t count() const { return count_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_behind(Clock::time_point now) const;
  // Whether it was called some time ago and has not accepted since.
  [[nodiscard]] bool is_late(Clock::time_point now) const;

 private:
  void iterate(int timeout_ms);
  [[nodiscard]] int timeout_for(int timeout_ms) const;
  [[nodiscard]] bool accept_some();
  [[nodiscard]] bool defers_to_other();
  void rotate();
  void adopt(int fd);
  void take_inbox();
  void echo(int fd);

  const Crew& crew_;
  const int epoll_;
  const int wake_;
  int listener_ = -1;
  bool is_accepting_ = false;
  const Worker* called_ = nullptr;  // The worker that was called to accept instead.
  std::atomic<bool> is_stopping_{false};

  // Members that other threads write have their own cache lines. A connection is counted as soon as
  // it is handed over, so that the next choice takes it into account.
  alignas(64) std::atomic<std::uint32_t> count_{0};
  alignas(64) std::mutex mutex_;
  std::vector<int> inbox_;
  std::atomic<Clock::rep> inbox_since_{0};   // When the inbox got its first connection; 0: empty.
  std::atomic<Clock::rep> called_since_{0};  // When it was called; 0: not called, or has come.
};

}  // namespace spread
