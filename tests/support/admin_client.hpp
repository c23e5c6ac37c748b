// Asks echod's admin socket. Each request has its own connection.
// Thread-safety: none.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace echod::test {

struct AdminAnswer {
  int status = 0;
  std::string head;
  std::string body;
};

// Reads an answer to its end, from a connected socket. Throws std::runtime_error if there is none.
[[nodiscard]] AdminAnswer read_answer(int fd);

// A connection to the admin socket.
class AdminConnection {
 public:
  // Throws std::runtime_error.
  explicit AdminConnection(const std::string& path);
  ~AdminConnection();
  AdminConnection(AdminConnection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  AdminConnection& operator=(AdminConnection&&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // Returns false if the server has closed the connection.
  [[nodiscard]] bool sends(std::string_view bytes) const;
  [[nodiscard]] AdminAnswer answer() const { return read_answer(fd_); }

 private:
  int fd_;
};

class AdminClient {
 public:
  // `path` is that of the UNIX socket.
  explicit AdminClient(std::string path) : path_(std::move(path)) {}

  // A connection on which `text` was sent as it is. Throws std::runtime_error.
  [[nodiscard]] AdminConnection begin(std::string_view text) const;
  // Sends a request such as "GET", "/status", and reads the answer to its end. Throws
  // std::runtime_error if there is no connection or no answer.
  [[nodiscard]] AdminAnswer request(const std::string& method, const std::string& target) const;
  [[nodiscard]] AdminAnswer get(const std::string& target) const { return request("GET", target); }

 private:
  std::string path_;
};

// The text of a request.
[[nodiscard]] std::string request_text(const std::string& method, const std::string& target,
                                       const std::string& host = "localhost");

}  // namespace echod::test
