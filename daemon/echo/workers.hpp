// All workers of a daemon, told and asked as one.
//
// Thread-safety: one thread, the service's; the counters and gauges are for any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "roster.hpp"
#include "worker.hpp"

namespace echod {

class Workers {
 public:
  // `events.on_ended` is called once: when the last of them ends. Throws std::system_error.
  Workers(std::size_t count, const EchoSettings& settings,
          const std::shared_ptr<spdlog::logger>& logger, const WorkerEvents& events);

  // As for one worker (worker.hpp).
  void listen(const std::shared_ptr<const sys::ListenSocket>& socket);
  void start();
  // What post() has all of them take over. Throws std::bad_alloc; post() does not fail.
  [[nodiscard]] std::vector<std::function<void()>> tasks_to_apply(const EchoSettings& settings);
  void post(std::vector<std::function<void()>> tasks) noexcept;
  // All of them or, if there is no memory, none: throws std::bad_alloc.
  void drain();
  void abort_connections(CloseReason reason);

  [[nodiscard]] std::size_t size() const noexcept { return workers_.size(); }
  [[nodiscard]] Worker& at(std::size_t number) noexcept { return *workers_[number]; }

  // `late` does not answer: the others take what was meant for it.
  void relieve(std::size_t late, sys::TimePoint now);

  // Sums over all workers. No close is seen in them without its accept.
  [[nodiscard]] std::array<std::uint64_t, kCounters> counters() const noexcept;
  [[nodiscard]] std::uint64_t buffered_bytes() const noexcept;
  [[nodiscard]] std::uint64_t stale_events() const noexcept;
  // Connections of the worker that has the most.
  [[nodiscard]] std::uint32_t fullest() const noexcept;
  [[nodiscard]] std::uint32_t connections_of(std::size_t number) const noexcept {
    return roster_->connections_of(number);
  }
  // How many have not ended.
  [[nodiscard]] std::size_t running() const noexcept { return running_.load(); }

 private:
  void make_room_to_post();

  std::shared_ptr<Roster> roster_;
  std::atomic<std::size_t> running_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace echod
