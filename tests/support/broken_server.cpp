#include "broken_server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace echod::test {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostRead = 65536;
constexpr std::size_t kPiece = 64;
// With fewer bytes a client cannot tell where they come from.
constexpr std::size_t kLeastSwapped = 64;
constexpr std::chrono::milliseconds kLazy{100};
constexpr std::size_t kLeastLazy = 32;
constexpr std::size_t kKept = 1024;
constexpr std::chrono::milliseconds kGivesUp{500};
constexpr std::chrono::milliseconds kAddsLate{20};

int checked(int result, const char* what) {
  if (result < 0) {
    throw std::system_error(errno, std::system_category(), std::string("broken server: ") + what);
  }
  return result;
}

int listen_on_loopback(int kernel_bytes) {
  const int fd =
      checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP), "socket");
  // Connections inherit the options. With TCP_NODELAY a reset loses nothing that was sent before.
  const int on = 1;
  checked(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
  for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
    if (kernel_bytes > 0) {
      checked(setsockopt(fd, SOL_SOCKET, option, &kernel_bytes, sizeof kernel_bytes), "setsockopt");
    }
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  checked(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  checked(listen(fd, SOMAXCONN), "listen");
  return fd;
}

int listen_on_path(const std::string& path) {
  const int fd = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  checked(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  checked(listen(fd, SOMAXCONN), "listen");
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  checked(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return address.ss_family == AF_INET
             ? ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port)
             : 0;
}

std::string tail_of(const std::string& bytes) {
  return bytes.substr(bytes.size() - std::min(kPiece, bytes.size()));
}

// Commits a fault that needs only this chunk and the bytes before it. Returns false if the chunk is
// too short for the fault, or if `fault` needs more.
bool distort(Fault fault, std::string& chunk, std::size_t place, const std::string& before) {
  const std::size_t rest = chunk.size() - place;
  switch (fault) {
    case Fault::drops_a_byte:
      chunk.erase(place, 1);
      return true;
    case Fault::corrupts:
      chunk[place] = static_cast<char>(chunk[place] ^ 1);
      return true;
    case Fault::duplicates:
      chunk.insert(place, tail_of(before + chunk.substr(0, place)));
      return true;
    case Fault::reorders: {
      const std::size_t half = std::min(rest / 2, kPiece);
      if (rest >= kLeastSwapped) {
        const auto first = chunk.begin() + static_cast<std::ptrdiff_t>(place);
        const auto second = first + static_cast<std::ptrdiff_t>(half);
        std::swap_ranges(first, second, second);
      }
      return rest >= kLeastSwapped;
    }
    default:
      return false;
  }
}

}  // namespace

// Bytes to be sent, in the pieces in which they were added: adding to many bytes copies none of
// them.
class Outbox {
 public:
  void add(std::string bytes) {
    size_ += bytes.size();
    if (!bytes.empty()) {
      pieces_.push_back(std::move(bytes));
    }
  }
  void clear() {
    pieces_.clear();
    size_ = sent_ = 0;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // The next bytes. Call only if not empty.
  [[nodiscard]] std::string_view next() const {
    return std::string_view(pieces_.front()).substr(sent_);
  }
  // `count`: at most next().size().
  void remove_sent(std::size_t count) {
    size_ -= count;
    sent_ += count;
    if (sent_ == pieces_.front().size()) {
      pieces_.pop_front();
      sent_ = 0;
    }
  }

 private:
  std::deque<std::string> pieces_;
  std::size_t size_ = 0;
  std::size_t sent_ = 0;  // Of the first piece.
};

struct BrokenServer::Connection {
  explicit Connection(int accepted) : fd(accepted) {}
  ~Connection() {
    if (fd >= 0) {
      (void)::close(fd);
    }
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool is_lazy_now() const { return Clock::now() - read_at < kLazy; }

  int fd;
  Outbox pending;
  std::uint64_t bytes_read = 0;
  std::string recent;               // The last kPiece bytes of those read.
  std::optional<std::string> held;  // To be swapped with a chunk of another connection.
  Clock::time_point read_at;
  Clock::time_point end_at;  // When the client's FIN was read.
  bool is_at_end = false;    // The client's FIN was read.
  bool has_erred = false;    // The fault was committed.
  bool is_stalled = false;
  bool drops_input = false;
  bool is_gone = false;
};

BrokenServer::BrokenServer(Fault fault, std::uint64_t after_bytes, BrokenServerBuffers buffers)
    : BrokenServer(fault, after_bytes, buffers, listen_on_loopback(buffers.kernel_bytes)) {}

BrokenServer::BrokenServer(Fault fault, const std::string& path, std::uint64_t after_bytes,
                           BrokenServerBuffers buffers)
    : BrokenServer(fault, after_bytes, buffers, listen_on_path(path)) {}

BrokenServer::BrokenServer(Fault fault, std::uint64_t after_bytes, BrokenServerBuffers buffers,
                           int listener)
    : fault_(fault),
      after_bytes_(after_bytes),
      buffers_(buffers),
      listener_(listener),
      wake_up_(checked(eventfd(0, EFD_CLOEXEC), "eventfd")) {
  port_ = port_of(listener_);
  thread_ = std::thread([this] { serve(); });
}

BrokenServer::~BrokenServer() {
  (void)eventfd_write(wake_up_, 1);  // Cannot fail: this is the only write.
  thread_.join();
  (void)close(listener_);
  (void)close(wake_up_);
}

void BrokenServer::serve() {
  std::vector<pollfd> polled;
  for (;;) {
    polled.clear();
    polled.push_back({.fd = wake_up_, .events = POLLIN, .revents = 0});
    polled.push_back(
        {.fd = fault_ == Fault::never_accepts ? -1 : listener_, .events = POLLIN, .revents = 0});
    for (const Connection& connection : connections_) {
      const int events = (reads(connection) ? POLLIN : 0) | (answers(connection) ? POLLOUT : 0);
      polled.push_back({.fd = connection.fd, .events = static_cast<short>(events), .revents = 0});
    }
    (void)poll(polled.data(), polled.size(), patience_ms());
    if (polled[0].revents != 0) {
      return;
    }
    auto ready = polled.begin() + 2;
    for (Connection& connection : connections_) {
      turn(connection, (ready++)->revents);
      on_late_fin(connection);
    }
    release_held();
    connections_.remove_if([](const Connection& connection) { return connection.is_gone; });
    if (polled[1].revents != 0) {
      accept();
    }
  }
}

bool BrokenServer::answers(const Connection& connection) const {
  return !connection.pending.empty() &&
         (fault_ != Fault::truncates_at_half_close || !connection.is_lazy_now());
}

bool BrokenServer::reads(const Connection& connection) const {
  return !connection.is_at_end && !connection.is_stalled && !connection.held &&
         connection.pending.size() < buffers_.own_bytes;
}

// A fault that is due at a certain time needs polling.
int BrokenServer::patience_ms() const {
  constexpr int kOften = 5;
  const bool is_due = std::ranges::any_of(connections_, [this](const Connection& connection) {
    return fault_ == Fault::truncates_at_half_close ? !connection.pending.empty()
                                                    : connection.is_at_end;
  });
  return is_due ? kOften : -1;
}

void BrokenServer::on_late_fin(Connection& connection) {
  if (!connection.is_at_end || connection.is_gone) {
    return;
  }
  const auto since = Clock::now() - connection.end_at;
  if (fault_ == Fault::gives_up_after_fin && since >= kGivesUp) {
    connection.is_gone = true;
  } else if (fault_ == Fault::adds_a_byte && since >= kAddsLate && !connection.has_erred) {
    connection.has_erred = true;
    connection.pending.add(is_oldest(connection) ? "+" : "");
    flush(connection);
  }
}

bool BrokenServer::is_oldest(const Connection& connection) const {
  const auto oldest = std::ranges::find(connections_, false, &Connection::is_gone);
  return &*oldest == &connection;
}

void BrokenServer::accept() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      return;
    }
    connections_.emplace_back(fd);
  }
}

void BrokenServer::turn(Connection& connection, short ready) {
  if ((ready & ~POLLOUT) != 0 && reads(connection)) {
    read(connection);
  } else if ((ready & (POLLERR | POLLHUP)) != 0 && connection.pending.empty()) {
    connection.is_gone = true;
  }
  if ((ready & ~POLLIN) != 0 && !connection.is_gone && answers(connection)) {
    flush(connection);
  }
}

// Reading.

void BrokenServer::read(Connection& connection) {
  std::string chunk(std::min(kMostRead, buffers_.own_bytes - connection.pending.size()), '\0');
  const ssize_t count = recv(connection.fd, chunk.data(), chunk.size(), 0);
  if (count < 0) {
    connection.is_gone = errno != EAGAIN;
    return;
  }
  if (count == 0) {
    connection.is_at_end = true;
    connection.end_at = Clock::now();
    ++fins_;
    if (fault_ == Fault::truncates_at_half_close) {
      connection.pending.clear();
    }
    if (connection.pending.empty()) {
      on_flushed(connection);
    }
    return;
  }
  chunk.resize(static_cast<std::size_t>(count));
  connection.read_at = chunk.size() >= kLeastLazy ? Clock::now() : connection.read_at;
  if (!connection.drops_input) {
    echo(connection, std::move(chunk));
  }
}

void BrokenServer::echo(Connection& connection, std::string chunk) {
  const std::uint64_t begin = connection.bytes_read;
  connection.bytes_read += chunk.size();
  const std::string before = std::exchange(connection.recent, {});
  connection.recent = tail_of(before + chunk);
  if (connection.has_erred || connection.bytes_read <= after_bytes_) {
    connection.pending.add(std::move(chunk));
    return;
  }
  // Where the offset `after_bytes_` is in this chunk; 0 if it has passed.
  const std::size_t place = after_bytes_ - std::min(after_bytes_, begin);
  switch (fault_) {
    case Fault::swaps_two_connections:
      hold(connection, std::move(chunk));
      break;
    case Fault::stalls:
    case Fault::closes_early:
    case Fault::resets:
      connection.has_erred = true;
      echo_and_end(connection, std::string_view(chunk).substr(0, place));
      break;
    default:
      connection.has_erred = distort(fault_, chunk, place, before);
      connection.pending.add(std::move(chunk));
      break;
  }
}

void BrokenServer::echo_and_end(Connection& connection, std::string_view chunk) {
  connection.pending.add(std::string(chunk));
  connection.is_stalled = fault_ != Fault::closes_early;
  connection.drops_input = fault_ == Fault::closes_early;
  if (connection.pending.empty()) {
    on_flushed(connection);
  }
}

void BrokenServer::hold(Connection& connection, std::string chunk) {
  if (chunk.size() < kLeastSwapped) {
    connection.pending.add(std::move(chunk));
    return;
  }
  const auto other = std::ranges::find_if(
      connections_, [](const Connection& candidate) { return candidate.held.has_value(); });
  if (other == connections_.end()) {
    connection.held = std::move(chunk);
    return;
  }
  connection.pending.add(std::move(*other->held));
  other->pending.add(std::move(chunk));
  other->held.reset();
  connection.has_erred = other->has_erred = true;
}

// Sends a held chunk as it is once there is no other connection to swap it with.
void BrokenServer::release_held() {
  const auto may_swap = [](const Connection& connection) {
    return !connection.is_gone && !connection.is_at_end && !connection.has_erred;
  };
  if (std::ranges::count_if(connections_, may_swap) > 1) {
    return;
  }
  for (Connection& connection : connections_) {
    if (connection.held) {
      connection.pending.add(*std::exchange(connection.held, std::nullopt));
    }
  }
}

// Answering.

void BrokenServer::flush(Connection& connection) {
  // If the FIN is next, there must be something to drop.
  const bool keeps_some =
      fault_ == Fault::truncates_at_half_close && connection.pending.size() >= buffers_.own_bytes;
  const std::size_t kept = keeps_some ? kKept : 0;
  while (connection.pending.size() > kept) {
    const std::string_view bytes =
        connection.pending.next().substr(0, connection.pending.size() - kept);
    const ssize_t count = send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) {
      connection.is_gone = errno != EAGAIN;
      return;
    }
    connection.pending.remove_sent(static_cast<std::size_t>(count));
  }
  if (connection.pending.empty()) {
    on_flushed(connection);
  }
}

void BrokenServer::on_flushed(Connection& connection) {
  if (connection.is_at_end) {
    const bool has_more_to_send = fault_ == Fault::adds_a_byte && !connection.has_erred;
    connection.is_gone = fault_ != Fault::never_closes && !has_more_to_send;
  } else if (connection.drops_input) {
    (void)shutdown(connection.fd, SHUT_WR);  // Reading goes on, and shows when the client is gone.
  } else if (connection.is_stalled && fault_ == Fault::resets) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    connection.is_gone = true;
  }
}

}  // namespace echod::test
