// The measured server: workers, and the listening sockets that the mechanism needs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "worker.hpp"

namespace spread {

class Server {
 public:
  // The server serves when the constructor returns. `trouble` is for the first worker only.
  Server(Mechanism mechanism, std::size_t workers, Trouble trouble = Trouble::none);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Waits until the server has exactly so many connections.
  void await(std::size_t connections) const;
  // Connections of the fullest worker, divided by the mean.
  [[nodiscard]] double skew() const;
  // CPU time of all its threads up to now.
  [[nodiscard]] double cpu_us() const;

 private:
  void host(std::size_t workers, Trouble trouble);
  void open_listeners();

  Crew crew_;
  std::vector<std::thread> threads_;
  std::uint16_t port_ = 0;
  std::atomic<bool> is_ready_{false};
  std::atomic<bool> is_over_{false};
  std::thread host_;  // Starts last, because it uses all members above.
};

}  // namespace spread
