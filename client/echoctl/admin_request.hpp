// One request to echod's admin socket, and its answer.
//
//   AdminRequest request(socket, "GET", "/status");
//   while (!request.advance()) {
//     ... poll request.wanted() until request.wake_at() ...
//   }
//   use request.take_answer();
//
// ask() does this for callers that wait for nothing else.
//
// Owns the connection. Thread-safety: none. Only ask() blocks. Failures are a FatalError whose line
// says what to do.
#pragma once

#include <poll.h>

#include <string>
#include <string_view>

#include "client/echoctl/http_answer.hpp"
#include "sys/clock.hpp"
#include "sys/unique_fd.hpp"

namespace echod::ctl {

// Which echod to ask, and how long it may take to answer a request.
struct AdminSocket {
  std::string path;
  sys::Duration timeout;
};

class AdminRequest {
 public:
  // `method` is GET, POST or DELETE. `target` is a path with its query, percent-encoded. The
  // timeout begins now.
  AdminRequest(const AdminSocket& socket, std::string_view method, std::string_view target);

  // Does what can be done without blocking. Returns whether the answer is complete. Throws
  // FatalError if the request failed or its time is over.
  bool advance();
  // advance() must be called when one of these events occurs, and at wake_at(). `fd` is negative
  // while the accept queue of echod is full.
  [[nodiscard]] pollfd wanted() const noexcept;
  [[nodiscard]] sys::TimePoint wake_at() const noexcept { return wake_at_; }
  // Must be called only once, after advance() has returned true.
  [[nodiscard]] HttpAnswer take_answer() { return parser_.take(); }

 private:
  [[nodiscard]] bool connect();
  [[nodiscard]] bool send();
  [[nodiscard]] bool receive();
  [[nodiscard]] bool is_complete(HttpAnswerParser::State state) const;
  [[noreturn]] void fail_to_receive(int error) const;

  std::string path_;
  sys::Duration timeout_;
  sys::TimePoint deadline_;
  sys::TimePoint wake_at_;
  std::string unsent_;
  sys::UniqueFd fd_;
  HttpAnswerParser parser_;
};

// Waits for the answer. Throws FatalError.
[[nodiscard]] HttpAnswer ask(const AdminSocket& socket, std::string_view method,
                             std::string_view target);

// Returns the body. Throws FatalError with echod's reason if echod refused the request.
[[nodiscard]] std::string accepted_body(HttpAnswer answer);

}  // namespace echod::ctl
