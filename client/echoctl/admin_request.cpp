#include "client/echoctl/admin_request.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "client/echoctl/exit_codes.hpp"
#include "client/sys/local_connection.hpp"
#include "client/text/figures.hpp"
#include "sys/io_result.hpp"
#include "sys/stream_socket.hpp"
#include "sys/wait_ready.hpp"

namespace echod::ctl {

namespace {

constexpr sys::Duration kConnectAgainAfter = std::chrono::milliseconds(20);

constexpr int kFirstSuccess = 200;
constexpr int kFirstRedirection = 300;

std::string request_text(std::string_view method, std::string_view target) {
  std::string text(method);
  text += ' ';
  text += target;
  text += " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: echoctl/" ECHOD_VERSION
          "\r\nConnection: close\r\n";
  text += method == "POST" ? "Content-Length: 0\r\n\r\n" : "\r\n";
  return text;
}

bool is_something_but_a_socket(const std::string& path) {
  std::error_code error;  // A file that cannot be examined may be a socket.
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  return !error && std::filesystem::exists(status) && !std::filesystem::is_socket(status);
}

// Why connect(2) failed with `error`, and what to do.
FatalError connect_failure(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
      return {
          ExitCode::unavailable,
          "there is no " + path +
              ": is echod running, and is this its [admin] socket? (--socket PATH names another)"};
    case ECONNREFUSED:
      return {ExitCode::unavailable, is_something_but_a_socket(path)
                                         ? path + " is not a socket: --socket names another"
                                         : "echod is not running: it left " + path + " behind"};
    case ENOTDIR:
      return {ExitCode::unavailable,
              path + " is below a file that is no directory: --socket names another"};
    case EACCES:
    case EPERM:
      return {ExitCode::no_permission,
              "no permission to use " + path +
                  ": members of the group echod may use it (adduser NAME echod), and root (sudo)"};
    case ENAMETOOLONG:
      return {ExitCode::usage, path + " is too long for the name of a socket: at most " +
                                   std::to_string(sys::kLongestConnectPath) + " bytes"};
    case EPROTOTYPE:
      return {ExitCode::protocol,
              path + " is a socket of another kind, not that of echod: --socket names another"};
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return {ExitCode::system, std::string("cannot make a socket: ") + sys::error_text(error)};
    default:
      return {ExitCode::unavailable, "cannot connect to " + path + ": " + sys::error_text(error)};
  }
}

}  // namespace

AdminRequest::AdminRequest(const AdminSocket& socket, std::string_view method,
                           std::string_view target)
    : path_(socket.path),
      timeout_(socket.timeout),
      deadline_(sys::MonotonicClock::now() + socket.timeout),
      wake_at_(deadline_),
      unsent_(request_text(method, target)) {}

bool AdminRequest::advance() {
  const bool is_over = sys::MonotonicClock::now() >= deadline_;
  if ((fd_.is_open() || connect()) && send() && receive()) {
    return true;
  }
  if (is_over) {
    throw FatalError(ExitCode::unavailable,
                     "no answer from echod at " + path_ + " within " +
                         client::duration_text(timeout_) +
                         ": it is overloaded or stuck (--timeout waits longer)");
  }
  return false;
}

pollfd AdminRequest::wanted() const noexcept {
  return {.fd = fd_.get(),
          .events = static_cast<short>(unsent_.empty() ? POLLIN : POLLOUT),
          .revents = 0};
}

bool AdminRequest::connect() {
  sys::LocalConnection connection = sys::connect_local(path_);
  if (connection.error != 0 && connection.error != EAGAIN) {
    throw connect_failure(path_, connection.error);
  }
  fd_ = std::move(connection.fd);
  wake_at_ = fd_.is_open() ? deadline_
                           : std::min(deadline_, sys::MonotonicClock::now() + kConnectAgainAfter);
  return fd_.is_open();
}

// If the connection fails while sending, receive() tells why: echod may have answered and closed.
bool AdminRequest::send() {
  const sys::IoResult sent = unsent_.empty()
                                 ? sys::IoResult::of(0)
                                 : sys::send(fd_.get(), std::as_bytes(std::span(unsent_)));
  unsent_.erase(0, sent.ok() || sent.would_block() ? sent.count() : unsent_.size());
  return unsent_.empty();
}

bool AdminRequest::receive() {
  constexpr std::size_t kPiece = 65536;
  std::array<char, kPiece> piece{};
  for (;;) {
    const sys::IoResult received =
        sys::receive(fd_.get(), std::as_writable_bytes(std::span(piece)));
    if (received.would_block()) {
      return false;
    }
    if (received.count() == 0) {
      if (received.ok() && is_complete(parser_.add_end())) {
        return true;
      }
      fail_to_receive(received.error());
    }
    if (is_complete(parser_.add({piece.data(), received.count()}))) {
      return true;
    }
  }
}

bool AdminRequest::is_complete(HttpAnswerParser::State state) const {
  switch (state) {
    case HttpAnswerParser::State::malformed:
      throw FatalError(
          ExitCode::protocol,
          "what answers at " + path_ + " does not speak HTTP: is this echod's [admin] socket?");
    case HttpAnswerParser::State::too_large:
      throw FatalError(ExitCode::protocol, "the answer at " + path_ + " is over " +
                                               client::size_text(HttpAnswerParser::kMostBodyBytes) +
                                               ": is this echod's [admin] socket?");
    case HttpAnswerParser::State::incomplete:
      return false;
    case HttpAnswerParser::State::complete:
      return true;
  }
  return false;
}

void AdminRequest::fail_to_receive(int error) const {
  throw FatalError(ExitCode::unavailable,
                   "echod at " + path_ + " ended the connection before its answer was complete" +
                       (error != 0 ? std::string(" (") + sys::error_text(error) + ")" : "") +
                       ": is it stopping?");
}

HttpAnswer ask(const AdminSocket& socket, std::string_view method, std::string_view target) {
  AdminRequest request(socket, method, target);
  while (!request.advance()) {
    pollfd wanted = request.wanted();
    (void)sys::wait_ready(std::span(&wanted, 1), request.wake_at());
  }
  return request.take_answer();
}

std::string accepted_body(HttpAnswer answer) {
  constexpr std::string_view kName = "echod: ";
  if (answer.status >= kFirstSuccess && answer.status < kFirstRedirection) {
    return std::move(answer.body);
  }
  std::string_view words = answer.body;
  words.remove_prefix(words.starts_with(kName) ? kName.size() : 0);
  words.remove_suffix(words.ends_with('\n') ? 1 : 0);
  throw FatalError(ExitCode::refused, "echod refused: " + std::string(words) + " (HTTP status " +
                                          std::to_string(answer.status) + ")");
}

}  // namespace echod::ctl
