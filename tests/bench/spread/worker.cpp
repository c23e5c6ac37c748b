#include "worker.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace spread {

namespace {

constexpr int kAcceptsPerTurn = 64;  // The default of echod's turn.accepts.
constexpr std::chrono::milliseconds kBurn{50};
constexpr std::chrono::milliseconds kBetweenBurns{10};
constexpr std::chrono::milliseconds kPatience{10};  // For connections in the inbox of a worker.
constexpr std::chrono::milliseconds kPatienceWhenCalled{100};

void watch(int epoll, int fd, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    fail("epoll_ctl");
  }
}

void burn_until(Clock::time_point end) {
  while (Clock::now() < end) {
  }
}

}  // namespace

void fail(const char* what) {
  std::perror(what);
  std::_Exit(EXIT_FAILURE);  // Other threads are running: no destructors.
}

Worker& Crew::choose(Worker& accepting) const {
  if (mechanism < Mechanism::acceptor) {
    return accepting;
  }
  const Clock::time_point now =
      mechanism == Mechanism::passing_over ? Clock::now() : Clock::time_point{};
  Worker* fewest = nullptr;
  std::uint32_t total = 0;
  for (const auto& worker : workers) {
    total += worker->count();
    // The accepting worker is running, so it is not passed over, whatever is in its inbox.
    const bool is_passed_over = mechanism == Mechanism::passing_over &&
                                worker.get() != &accepting && worker->is_behind(now);
    if (!is_passed_over && (fewest == nullptr || worker->count() < fewest->count())) {
      fewest = worker.get();
    }
  }
  if (mechanism == Mechanism::acceptor) {
    return *fewest;
  }
  // Handing over wakes another thread, so a worker may have slightly more than the others.
  const auto mean = total / static_cast<std::uint32_t>(workers.size());
  return accepting.count() <= fewest->count() + mean / 16 ? accepting : *fewest;
}

Worker* Crew::instead_of(const Worker& accepting, std::uint32_t tolerance) const {
  const Clock::time_point now = Clock::now();
  Worker* fewest = nullptr;
  std::uint32_t total = 0;
  for (const auto& worker : workers) {
    total += worker->count();
    if (worker.get() != &accepting && !worker->is_late(now) &&
        (fewest == nullptr || worker->count() < fewest->count())) {
      fewest = worker.get();
    }
  }
  const auto parts = tolerance * static_cast<std::uint32_t>(workers.size());
  const std::uint32_t kept = parts == 0 ? 0 : (total + parts / 2) / parts;
  return fewest != nullptr && accepting.count() > fewest->count() + kept ? fewest : nullptr;
}

Worker::Worker(const Crew& crew)
    : crew_(crew), epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC)) {
  if (epoll_ < 0 || wake_ < 0) {
    fail("epoll_create1 or eventfd");
  }
  watch(epoll_, wake_, EPOLLIN | EPOLLET);
}

void Worker::accept_from(int listener, std::uint32_t epoll_flags) {
  listener_ = listener;
  watch(epoll_, listener, EPOLLIN | EPOLLET | epoll_flags);
}

void Worker::run(Trouble trouble) {
  if (trouble == Trouble::stuck) {
    std::this_thread::sleep_for(kStuck);
  }
  Clock::time_point next_burn = Clock::now();
  while (!is_stopping_.load()) {
    if (trouble != Trouble::busy) {
      iterate(-1);
      continue;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_burn - Clock::now());
    if (left.count() > 0) {
      iterate(static_cast<int>(left.count()));
    } else {
      burn_until(Clock::now() + kBurn);
      next_burn = Clock::now() + kBetweenBurns;
    }
  }
}

void Worker::stop() {
  is_stopping_.store(true);
  (void)eventfd_write(wake_, 1);  // Cannot fail: the counter is far from its maximum.
}

void Worker::hand_over(int fd) {
  count_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  const bool was_empty = inbox_.empty();
  inbox_.push_back(fd);
  if (was_empty) {
    inbox_since_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    (void)eventfd_write(wake_, 1);
  }
}

void Worker::call() {
  Clock::rep never = 0;
  if (called_since_.compare_exchange_strong(never, Clock::now().time_since_epoch().count())) {
    (void)eventfd_write(wake_, 1);
  }
}

bool Worker::is_late(Clock::time_point now) const {
  const Clock::rep since = called_since_.load(std::memory_order_relaxed);
  return since != 0 && now.time_since_epoch() - Clock::duration(since) > kPatienceWhenCalled;
}

bool Worker::is_behind(Clock::time_point now) const {
  const Clock::rep since = inbox_since_.load(std::memory_order_relaxed);
  return since != 0 && now.time_since_epoch() - Clock::duration(since) > kPatience;
}

void Worker::iterate(int timeout_ms) {
  std::array<epoll_event, 256> events{};
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                               is_accepting_ ? 0 : timeout_for(timeout_ms));
  if (count < 0 && errno != EINTR) {
    fail("epoll_wait");
  }
  if (called_ != nullptr && called_->is_late(Clock::now())) {
    is_accepting_ = true;
  }
  for (int i = 0; i < count; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd == listener_) {
      is_accepting_ = true;
    } else if (fd == wake_) {
      take_inbox();  // The eventfd is not read: each write raises an edge.
      is_accepting_ = is_accepting_ || called_since_.load() != 0;
    } else {
      echo(fd);
    }
  }
  // There is no new edge for connections that a turn leaves in the queue, so the next epoll_wait
  // does not block.
  is_accepting_ = is_accepting_ && accept_some();
}

int Worker::timeout_for(int timeout_ms) const {
  if (called_ == nullptr || called_->called_since_.load(std::memory_order_relaxed) == 0) {
    return timeout_ms;
  }
  const int patience = static_cast<int>(kPatienceWhenCalled.count());
  return timeout_ms < 0 ? patience : std::min(timeout_ms, patience);
}

// Returns whether another worker should accept. Calls that worker if a connection is waiting.
bool Worker::defers_to_other() {
  constexpr std::uint32_t kTolerance = 32;
  Worker* const other = crew_.instead_of(*this, kTolerance);
  if (other == nullptr) {
    return false;
  }
  pollfd queue{.fd = listener_, .events = POLLIN, .revents = 0};
  if (poll(&queue, 1, 0) > 0) {
    other->call();
    called_ = other;
  } else {
    rotate();
  }
  return true;
}

// Moves this worker to the tail of the queue of workers that EPOLLEXCLUSIVE wakes.
void Worker::rotate() {
  if (crew_.mechanism == Mechanism::rotating && crew_.instead_of(*this, 0) != nullptr) {
    (void)epoll_ctl(epoll_, EPOLL_CTL_DEL, listener_, nullptr);
    watch(epoll_, listener_, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE);
  }
}

// Returns false if the accept queue is empty, or if another worker should accept.
bool Worker::accept_some() {
  const bool has_one_queue = crew_.mechanism >= Mechanism::one_queue;
  called_since_.store(0);
  called_ = nullptr;
  for (int accepts = 0; accepts < kAcceptsPerTurn; ++accepts) {
    if (has_one_queue && defers_to_other()) {
      return false;
    }
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno != EAGAIN) {
        fail("accept4");
      }
      rotate();
      return false;
    }
    Worker& chosen = has_one_queue ? *this : crew_.choose(*this);
    if (&chosen == this) {
      count_.fetch_add(1, std::memory_order_relaxed);
      adopt(fd);
    } else {
      chosen.hand_over(fd);
    }
  }
  return true;
}

void Worker::adopt(int fd) {
  watch(epoll_, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

void Worker::take_inbox() {
  std::vector<int> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(inbox_);
    inbox_since_.store(0, std::memory_order_relaxed);
  }
  std::for_each(taken.begin(), taken.end(), [this](int fd) { adopt(fd); });
}

// Messages are so small that a reply always fits into the send buffer.
void Worker::echo(int fd) {
  std::array<char, 4096> buffer;
  ssize_t size = 0;
  while ((size = recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
    (void)send(fd, buffer.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
  }
  if (size == 0 || errno != EAGAIN) {
    close(fd);
    count_.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace spread
