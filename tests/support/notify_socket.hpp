// The socket that a service manager names in $NOTIFY_SOCKET (sd_notify(3)).
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "deadline.hpp"
#include "files.hpp"

namespace echod::test {

class NotifySocket {
 public:
  // Without `name`, the socket has a path in a temporary directory. "@..." is an abstract address.
  explicit NotifySocket(const std::string& name = "");
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // Returns "NOTIFY_SOCKET=...", for the environment of the daemon.
  [[nodiscard]] std::string variable() const;

  // Fills the socket's receive queue: it takes no further message until it is read.
  void fill() const;

  // Returns the next message that contains `text`, and drops those before it. Throws if none comes.
  [[nodiscard]] std::string wait_for(const std::string& text);
  // Returns how many messages that contain `text` come in this time.
  [[nodiscard]] std::size_t count_during(std::chrono::milliseconds time, const std::string& text);

 private:
  [[nodiscard]] bool receive(const Deadline& deadline, std::string& message) const;

  TemporaryDirectory directory_;
  std::string path_;
  int fd_;
};

}  // namespace echod::test
