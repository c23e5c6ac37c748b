// One connection of an HttpServer, which carries one request and its response.
//
//   state      waits for                         ends
//   ---------  --------------------------------  ------------------------------------------------
//   unused     open()
//   receiving  the request                       2 s after the accept: status 408; if no byte has
//                                                come, closed without an answer
//   handling   respond()                         5 s after the accept: status 503
//   sending    room in the kernel's send queue   5 s after the accept: reset
//   lingering  the client's FIN                  1 s after the last byte was sent: closed
//
// The deadlines are absolute: a slow client cannot extend them by sending a byte now and then. A
// long list needs a client that reads it within its 5 s.
//
// lingering: a close with unread bytes would send RST, and RST can destroy the response before the
// client has read it. So the server sends its FIN first, and reads and discards what still comes.
//
// An object is used for one connection after the other, so that accepting needs no memory for it.
//
// Owns its socket. Thread-safety: belongs to the loop's thread. Never blocks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "admin/http_counters.hpp"
#include "admin/http_handler.hpp"
#include "admin/http_request_parser.hpp"
#include "loop/channel.hpp"
#include "loop/event_loop.hpp"
#include "loop/timer.hpp"
#include "sys/clock.hpp"
#include "sys/unique_fd.hpp"

namespace echod {

class HttpConnection final : public Channel {
 public:
  static constexpr std::chrono::milliseconds kRequestTime{2000};
  static constexpr std::chrono::milliseconds kWholeTime{5000};
  static constexpr std::chrono::milliseconds kLingerTime{1000};

  enum class State : std::uint8_t { unused, receiving, handling, sending, lingering };

  // `on_request` is called in a turn when a request is complete. It must lead to a call of
  // respond() or fail(), and must not throw. Throws std::bad_alloc.
  HttpConnection(EventLoop& loop, HttpCounters& counters,
                 std::function<void(HttpConnection&, ReceivedRequest&)> on_request);
  ~HttpConnection() override;

  // Takes over an accepted socket. The connection must be unused. Each call needs another `number`.
  // Closes the socket immediately if memory runs out.
  void open(sys::UniqueFd fd, Access access, std::uint64_t number) noexcept;
  // Sends the response. The state must be `handling`.
  void respond(HttpResponse response) noexcept;
  // Sends an error. The state must be `handling`.
  void refuse(int status, std::string_view text) noexcept;
  // Sends status 503, which needs no memory. The state must be `handling`.
  void fail() noexcept;
  // Closes the socket. No-op if unused.
  void close() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] Access access() const noexcept { return access_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] sys::TimePoint accepted_at() const noexcept { return accepted_at_; }

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  void receive() noexcept;
  void on_end_of_input() noexcept;
  void on_parsed(HttpRequestParser::State parsed) noexcept;
  void begin_handling() noexcept;
  void begin_sending(int status) noexcept;
  void send() noexcept;
  [[nodiscard]] std::string_view unsent() const noexcept;
  void begin_lingering() noexcept;
  [[nodiscard]] Turn discard() noexcept;
  void on_deadline() noexcept;
  void release_memory() noexcept;

  EventLoop& loop_;
  HttpCounters& counters_;
  std::function<void(HttpConnection&, ReceivedRequest&)> on_request_;
  Timer deadline_;
  State state_ = State::unused;
  Access access_ = Access::full;
  std::uint64_t number_ = 0;
  sys::UniqueFd fd_;
  sys::TimePoint accepted_at_{};
  std::optional<HttpRequestParser> parser_;  // While receiving.
  bool wants_body_ = true;                   // The request is not HEAD.
  std::string head_text_;
  HttpResponse response_;
  // What is sent: head_text_ and response_.body, or constants if there is no memory for them.
  std::string_view head_;
  std::string_view body_;
  std::size_t sent_ = 0;  // Bytes of head_ and body_ together.
};

}  // namespace echod
