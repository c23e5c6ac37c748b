#include "admin/http_connection.hpp"

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <new>
#include <span>
#include <utility>

#include "sys/invariant.hpp"
#include "sys/stream_socket.hpp"

namespace echod {

namespace {

constexpr std::string_view kFailureHead =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 21\r\n"
    "Connection: close\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "\r\n";
constexpr std::string_view kFailureBody = "echod: out of memory\n";
static_assert(kFailureBody.size() == 21, "the head says so");

constexpr int kUnavailable = 503;

}  // namespace

HttpConnection::HttpConnection(EventLoop& loop, HttpCounters& counters,
                               std::function<void(HttpConnection&, ReceivedRequest&)> on_request)
    : loop_(loop),
      counters_(counters),
      on_request_(std::move(on_request)),
      deadline_(loop.timers(), [this] { on_deadline(); }) {}

HttpConnection::~HttpConnection() {
  close();
}

// The mask never changes: an edge of EPOLLOUT while nothing is to be sent costs one empty turn.
void HttpConnection::open(sys::UniqueFd fd, Access access, std::uint64_t number) noexcept {
  invariant(state_ == State::unused, "a connection is opened when it is unused");
  fd_ = std::move(fd);
  access_ = access;
  number_ = number;
  accepted_at_ = loop_.now();
  wants_body_ = true;
  state_ = State::receiving;
  try {
    parser_.emplace();
  } catch (const std::bad_alloc&) {
    return close();
  }
  if (!loop_.add(*this, fd_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP).ok()) {
    return close();
  }
  deadline_.expire_at(accepted_at_ + kRequestTime);
}

void HttpConnection::close() noexcept {
  loop_.remove(*this);
  deadline_.cancel();
  release_memory();
  fd_.reset();
  state_ = State::unused;
}

Turn HttpConnection::on_turn(std::uint32_t events) noexcept {
  switch (state_) {
    case State::receiving:
      receive();
      break;
    case State::handling:
      // A FIN alone is no reason: the client may still read.
      if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        close();
      }
      break;
    case State::sending:
      send();
      break;
    case State::lingering:
      return discard();
    case State::unused:
      break;
  }
  return Turn::wait;
}

// Ends after 8 KiB, because the parser fails then.
void HttpConnection::receive() noexcept {
  constexpr std::size_t kChunk = 4096;
  std::array<char, kChunk> chunk;  // NOLINT(*-member-init): receive() fills it.
  for (;;) {
    const sys::IoResult received =
        sys::receive(fd_.get(), std::as_writable_bytes(std::span(chunk)));
    if (received.would_block()) {
      return;
    }
    if (!received.ok()) {
      return close();
    }
    if (received.count() == 0) {
      return on_end_of_input();
    }
    const auto parsed = parser_->feed({chunk.data(), received.count()});
    if (parsed != HttpRequestParser::State::incomplete) {
      return on_parsed(parsed);
    }
  }
}

void HttpConnection::on_end_of_input() noexcept {
  if (!parser_->has_begun()) {
    return close();
  }
  begin_handling();
  refuse(400, "the request ends before its header does");
}

void HttpConnection::on_parsed(HttpRequestParser::State parsed) noexcept {
  if (parsed == HttpRequestParser::State::failed) {
    const int status = parser_->error_status();
    const char* const text = parser_->error_text();
    begin_handling();
    return refuse(status, text);
  }
  ReceivedRequest received = parser_->take_request();
  wants_body_ = received.request.method != HttpMethod::head;
  begin_handling();
  on_request_(*this, received);
}

void HttpConnection::begin_handling() noexcept {
  parser_.reset();
  state_ = State::handling;
  deadline_.expire_at(accepted_at_ + kWholeTime);
}

void HttpConnection::respond(HttpResponse response) noexcept {
  invariant(state_ == State::handling, "a request has one response");
  response_ = std::move(response);
  try {
    head_text_ = head_of(response_);
  } catch (const std::bad_alloc&) {
    return fail();
  }
  head_ = head_text_;
  body_ = response_.body;
  begin_sending(response_.status);
}

void HttpConnection::refuse(int status, std::string_view text) noexcept {
  HttpResponse response;
  try {
    response = http_error(status, text);
  } catch (const std::bad_alloc&) {
    return fail();
  }
  respond(std::move(response));
}

void HttpConnection::fail() noexcept {
  invariant(state_ == State::handling, "a request has one response");
  head_ = kFailureHead;
  body_ = kFailureBody;
  begin_sending(kUnavailable);
}

void HttpConnection::begin_sending(int status) noexcept {
  constexpr int kFirstRefusal = 400;
  constexpr int kFirstFailure = 500;
  ++(status >= kFirstFailure   ? counters_.failed
     : status >= kFirstRefusal ? counters_.refused
                               : counters_.answered);
  if (!wants_body_) {
    body_ = {};
  }
  sent_ = 0;
  state_ = State::sending;
  send();
}

void HttpConnection::send() noexcept {
  while (!unsent().empty()) {
    const sys::IoResult sent = sys::send(fd_.get(), std::as_bytes(std::span(unsent())));
    if (sent.would_block()) {
      return;
    }
    if (!sent.ok()) {
      return close();
    }
    sent_ += sent.count();
  }
  begin_lingering();
}

// What comes next: the rest of the head, or that of the body.
std::string_view HttpConnection::unsent() const noexcept {
  return sent_ < head_.size() ? head_.substr(sent_) : body_.substr(sent_ - head_.size());
}

// Asks for a turn, because the edge of bytes that wait already is used up.
void HttpConnection::begin_lingering() noexcept {
  release_memory();
  if (!sys::shut_write(fd_.get()).ok()) {
    return close();
  }
  state_ = State::lingering;
  deadline_.expire_at(loop_.now() + kLingerTime);
  loop_.enqueue(*this);
}

Turn HttpConnection::discard() noexcept {
  constexpr std::size_t kChunk = 8192;
  constexpr int kChunksInATurn = 8;
  std::array<std::byte, kChunk> chunk;  // NOLINT(*-member-init): nothing reads it.
  for (int chunks = 0; chunks < kChunksInATurn; ++chunks) {
    const sys::IoResult received = sys::receive(fd_.get(), chunk);
    if (received.would_block()) {
      return Turn::wait;
    }
    if (received.count() == 0) {  // The client's FIN, or an error.
      close();
      return Turn::wait;
    }
  }
  return Turn::again;
}

void HttpConnection::on_deadline() noexcept {
  if (state_ == State::lingering) {
    return close();
  }
  ++counters_.timed_out;
  if (state_ == State::sending) {
    sys::reset_on_close(fd_.get());
    return close();
  }
  if (state_ == State::receiving && !parser_->has_begun()) {
    return close();
  }
  const bool is_late_request = state_ == State::receiving;
  begin_handling();
  if (is_late_request) {
    refuse(408, "the request was not complete after 2 s");
  } else {
    refuse(kUnavailable, "there was no answer within 5 s");
  }
}

void HttpConnection::release_memory() noexcept {
  parser_.reset();
  head_ = body_ = {};
  head_text_ = std::string();
  response_ = HttpResponse();
}

}  // namespace echod
