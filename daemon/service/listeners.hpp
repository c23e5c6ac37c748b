// The listening sockets of echod, one for each [[listen]] in the same order. The workers share
// them.
//
// Thread-safety: belongs to the main thread.
#pragma once

#include <memory>
#include <vector>

#include "config/config.hpp"
#include "echo/workers.hpp"
#include "service/carried_workers.hpp"
#include "service/passed_sockets.hpp"
#include "sys/listen_socket.hpp"
#include "upgrade/state.hpp"

namespace spdlog {
class logger;
}

namespace echod {

class Listeners {
 public:
  // `workers` must outlive it.
  explicit Listeners(Workers& workers) noexcept : workers_(workers) {}

  // Opens the sockets, or adopts the `passed` ones if there are any. Call it before the workers
  // start. Throws StartupError, std::bad_alloc.
  void open(std::vector<PassedSocket> passed, const Config& config);
  // Takes over those of an earlier program that are configured, opens the others, and closes the
  // rest. A [[listen]] that cannot be opened is logged and removed from `config`: the clients of
  // the others are worth more than a clean start. Returns the numbers that the listeners of the
  // earlier program have now. Call it before the workers start. Throws std::bad_alloc.
  [[nodiscard]] ListenerNumbers take_over(const std::vector<ListenerState>& earlier, Config& config,
                                          spdlog::logger& log);
  // Gives the sockets up. The workers close each when its accept queue is empty.
  void release() noexcept { sockets_.clear(); }

  [[nodiscard]] const std::vector<std::shared_ptr<const sys::ListenSocket>>& sockets()
      const noexcept {
    return sockets_;
  }
  void announce(const Config& config, spdlog::logger& log) const;

 private:
  void add(sys::ListenSocket socket);

  Workers& workers_;
  std::vector<std::shared_ptr<const sys::ListenSocket>> sockets_;
};

}  // namespace echod
