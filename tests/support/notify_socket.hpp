// A service manager as far as sd_notify(3) sees it: the socket of $NOTIFY_SOCKET.
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
  // A path of its own unless a name is given: "@..." is one in the abstract namespace.
  explicit NotifySocket(const std::string& name = "");
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // For the environment of who is to use it.
  [[nodiscard]] std::string variable() const;

  // Sends to itself until it has no room for another message: it takes none until it is read.
  void fill() const;

  // The next message that contains `text`, passing over others; throws if none comes.
  [[nodiscard]] std::string wait_for(const std::string& text);
  // How many that contain `text` come in this time.
  [[nodiscard]] std::size_t count_during(std::chrono::milliseconds time, const std::string& text);

 private:
  [[nodiscard]] bool receive(const Deadline& deadline, std::string& message) const;

  TemporaryDirectory directory_;
  std::string path_;
  int fd_;
};

}  // namespace echod::test
