#include "simulated_peers.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace echod::test {

namespace {

constexpr int kFirstFd = 10;

// A pattern in which lost, repeated and foreign bytes are noticed.
std::string pattern(int fd, std::uint64_t from, std::size_t length) {
  constexpr std::uint64_t kPrime = 251;
  std::string bytes(length, '\0');
  for (std::size_t i = 0; i < length; ++i) {
    const std::uint64_t at = from + i;
    bytes[i] = static_cast<char>((at + at / kPrime + static_cast<std::uint64_t>(fd)) % kPrime);
  }
  return bytes;
}

// The events that tcp_poll() of the kernel reports.
std::uint32_t level_of(const SimulatedPeer& peer) noexcept {
  std::uint32_t level = 0;
  const auto add = [&level](bool is_so, std::uint32_t events) { level |= is_so ? events : 0U; };
  add(peer.arrived > peer.read, EPOLLIN);
  add(peer.urgent && *peer.urgent >= peer.read, EPOLLPRI);
  add(peer.has_fin, EPOLLIN | EPOLLRDHUP);
  add(peer.room > 0 || peer.is_shut, EPOLLOUT);
  add(peer.has_fin && peer.is_shut, EPOLLHUP);
  add(peer.error != 0, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  return level;
}

std::uint32_t events_of(const SimulatedPeer& peer) noexcept {
  return level_of(peer) & (peer.mask | EPOLLERR | EPOLLHUP);
}

}  // namespace

SimulatedPeers::SimulatedPeers(ScriptedKernel& kernel, FuzzInput& input, const Counters& counters)
    : kernel_(kernel), input_(input), counters_(counters) {
  kernel.improvise([this](const MadeCall& made) { return answer(made); });
}

// Actions of the peers.

int SimulatedPeers::add(std::size_t bytes) {
  SimulatedPeer& peer = peers_.emplace_back();
  peer.fd = kFirstFd + static_cast<int>(peers_.size()) - 1;
  peer.arrived = bytes;
  peer.is_draining = is_draining_;
  peer.owed_when_drained = bytes;
  tell_kernel(peer);
  return peer.fd;
}

void SimulatedPeers::arrive(SimulatedPeer& peer, std::size_t bytes) {
  if (!peer.has_fin && !peer.is_broken) {
    peer.arrived += bytes;
    tell_kernel(peer);
    raise(peer);
  }
}

void SimulatedPeers::arrive_urgent(SimulatedPeer& peer) {
  if (!peer.has_fin && !peer.is_broken) {
    peer.urgent = peer.arrived;
    arrive(peer, 1);
  }
}

void SimulatedPeers::finish(SimulatedPeer& peer) {
  peer.has_fin = true;
  raise(peer);
}

void SimulatedPeers::make_room(SimulatedPeer& peer, std::size_t bytes) {
  peer.room += bytes;
  if (peer.wants_room && peer.room > 0) {
    peer.wants_room = false;
    raise(peer);
  }
}

void SimulatedPeers::acknowledge(SimulatedPeer& peer, std::uint64_t bytes) {
  const std::uint64_t end = peer.sent + (peer.is_shut ? 1 : 0);
  const bool is_news = peer.is_shut && peer.acknowledged < end;
  peer.acknowledged = std::min(end, peer.acknowledged + bytes);
  tell_kernel(peer);
  if (is_news && peer.acknowledged == end) {
    raise(peer);  // The FIN is acknowledged: the connection changes its state, which is an event.
  }
}

void SimulatedPeers::fail(SimulatedPeer& peer, int error) {
  peer.is_broken = true;
  peer.error = error;
  kernel_.set_socket_error(peer.fd, error);
  raise(peer);
}

void SimulatedPeers::raise(SimulatedPeer& peer) {
  peer.is_raised = peer.is_raised || (!peer.is_closed && events_of(peer) != 0);
}

void SimulatedPeers::drain() {
  is_draining_ = true;
  for (SimulatedPeer& peer : peers_) {
    peer.is_draining = !peer.is_shut;
    peer.owed_when_drained = peer.arrived;
  }
}

std::size_t SimulatedPeers::open() const noexcept {
  return static_cast<std::size_t>(std::count_if(peers_.begin(), peers_.end(),
                                                [](const auto& peer) { return !peer.is_closed; }));
}

bool SimulatedPeers::is_any_raised() const noexcept {
  return std::any_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer.is_raised; });
}

// Results of the calls.

std::optional<Step> SimulatedPeers::answer(const MadeCall& made) {
  if (made.call == Call::epoll_wait) {
    return wait(made);
  }
  SimulatedPeer* const peer = find(made.fd);
  if (peer == nullptr) {
    return std::nullopt;
  }
  switch (made.call) {
    case Call::recv:
      return receive(*peer, made);
    case Call::send:
    case Call::splice_out:
      return send(*peer, made);
    case Call::splice_in:
      return splice_in(*peer, made);
    case Call::shutdown:
      return shut(*peer, made);
    case Call::close:
      return close(*peer, made);
    case Call::epoll_add:
    case Call::epoll_modify:
      return register_mask(*peer, made);
    default:
      return std::nullopt;
  }
}

Step SimulatedPeers::receive(SimulatedPeer& peer, const MadeCall& made) {
  enum : std::uint8_t { interrupted = 1, more = 2 };
  const std::uint8_t chance = input_.byte();
  Step step = Step(Call::recv, peer.fd).with_flags(made.flags);
  if (chance == interrupted) {
    return step.failing(EINTR);
  }
  const bool is_peek = (made.flags & MSG_PEEK) != 0;
  const bool is_discard = (made.flags & MSG_TRUNC) != 0;
  const std::size_t count = give(peer, made);
  if (count == 0 && peer.error != 0) {
    return step.failing(std::exchange(peer.error, 0));
  }
  if (count == 0 && !peer.has_fin && !peer.is_broken) {
    return step.failing(EAGAIN);
  }
  peer.is_fin_read = peer.is_fin_read || count == 0;
  require(is_discard || !peer.is_shut, "after the FIN, received bytes are discarded");
  if (!is_discard) {
    step = step.with_bytes(pattern(peer.fd, peer.read, count));
    peer.seen = std::max(peer.seen, peer.read + count);
  }
  if (!is_peek) {
    peer.read += count;
    require(!is_discard || peer.is_shut || peer.read <= peer.sent, "only what was sent is dropped");
  }
  if (chance == more) {
    arrive(peer, input_.byte());
  }
  tell_kernel(peer);
  return step.giving(static_cast<std::int64_t>(count));
}

// The result ends at an urgent mark, as at the end of the queue, or when the pipe's slots are used
// up.
Step SimulatedPeers::splice_in(SimulatedPeer& peer, const MadeCall& made) {
  enum : std::uint8_t { interrupted = 1, refused = 2, slots = 3 };
  const std::uint8_t chance = input_.byte();
  Step step = Step(Call::splice_in, peer.fd);
  if (chance == interrupted || chance == refused) {
    return step.failing(chance == interrupted ? EINTR : EINVAL);
  }
  require(!peer.is_shut, "after the FIN, received bytes are discarded");
  const bool is_at_mark = peer.urgent && *peer.urgent == peer.read;
  std::size_t count = is_at_mark ? 0 : give(peer, made);
  if (chance == slots) {
    count = std::min<std::size_t>(count, input_.byte());
  }
  if (count == 0 && peer.error != 0) {
    return step.failing(std::exchange(peer.error, 0));
  }
  if (count == 0 && !peer.has_fin && !peer.is_broken) {
    return step.failing(EAGAIN);
  }
  step = step.with_bytes(pattern(peer.fd, peer.read, count));
  peer.read += count;
  peer.seen = std::max(peer.seen, peer.read);
  tell_kernel(peer);
  return step.giving(static_cast<std::int64_t>(count));
}

// Returns how many bytes one call reads: up to the urgent mark or the end.
std::size_t SimulatedPeers::give(SimulatedPeer& peer, const MadeCall& made) {
  const bool stops = peer.urgent && peer.read < *peer.urgent;
  return std::min<std::uint64_t>(made.length, (stops ? *peer.urgent : peer.arrived) - peer.read);
}

Step SimulatedPeers::send(SimulatedPeer& peer, const MadeCall& made) {
  enum : std::uint8_t { interrupted = 1, short_of_memory = 2, refused = 3 };
  const std::uint8_t chance = input_.byte();
  Step step = Step(made.call, peer.fd).with_any_bytes();
  require(!peer.is_shut, "nothing is sent after the FIN");
  require(peer.sent + made.length <= peer.seen, "nothing is sent that was not received");
  require(made.bytes == pattern(peer.fd, peer.sent, made.length),
          "what was received is sent, in order");
  if (chance == interrupted) {
    return step.failing(EINTR);
  }
  if (peer.is_broken) {
    const int error = std::exchange(peer.error, 0);
    return step.failing(error != 0 ? error : EPIPE);
  }
  if (chance == refused) {
    peer.is_broken = true;
    return step.failing(ENOBUFS);
  }
  if (chance == short_of_memory) {
    peer.room = std::min<std::uint64_t>(peer.room, input_.byte());
  }
  const std::uint64_t count = std::min<std::uint64_t>(peer.room, made.length);
  peer.wants_room = count < made.length;
  peer.room -= count;
  peer.sent += count;
  tell_kernel(peer);
  return count == 0 ? step.failing(EAGAIN) : step.giving(static_cast<std::int64_t>(count));
}

Step SimulatedPeers::shut(SimulatedPeer& peer, const MadeCall& made) {
  Step step = Step(Call::shutdown, peer.fd).with_argument(made.argument);
  if (peer.is_broken) {
    return step.failing(ENOTCONN);
  }
  require(made.argument == SHUT_WR && !peer.is_shut, "one FIN is sent");
  require(peer.sent == peer.read, "the FIN is sent after everything that was read");
  peer.is_shut = true;
  tell_kernel(peer);
  raise(peer);
  return step;
}

Step SimulatedPeers::close(SimulatedPeer& peer, const MadeCall& made) {
  peer.is_closed = true;
  peer.is_raised = false;
  check_end(peer, last_reason());
  return Step(made.call, made.fd);
}

Step SimulatedPeers::register_mask(SimulatedPeer& peer, const MadeCall& made) {
  constexpr std::uint8_t kNoMemory = 0xFF;
  Step step = Step(made.call, made.fd).with_argument(made.argument);
  if (input_.byte() == kNoMemory) {
    peer.is_broken = true;
    return step.failing(ENOMEM);
  }
  peer.mask = static_cast<std::uint32_t>(made.argument);
  raise(peer);
  return step;
}

Step SimulatedPeers::wait(const MadeCall& made) {
  Step step = Step(Call::epoll_wait);
  for (SimulatedPeer& peer : peers_) {
    if (std::exchange(peer.is_raised, false) && events_of(peer) != 0) {
      step.events.push_back({.fd = peer.fd, .events = events_of(peer)});
    }
  }
  is_at_rest_ = step.events.empty() && made.argument != 0;
  return step.giving(static_cast<std::int64_t>(step.events.size()));
}

// Requires that a connection may end for this reason now.
void SimulatedPeers::check_end(const SimulatedPeer& peer, CloseReason reason) const {
  if (peer.is_broken) {
    return;
  }
  switch (reason) {
    case CloseReason::peer_closed:
      require(peer.is_fin_read && !peer.is_draining, "the peer closed");
      require(peer.sent == peer.arrived, "everything came back");
      require(peer.acknowledged >= peer.sent, "the peer has everything");
      return;
    case CloseReason::drained:
      require(peer.is_fin_read && peer.is_draining, "the peer closed while the daemon stopped");
      require(peer.sent == peer.owed_when_drained, "everything came back that was here");
      require(peer.acknowledged >= peer.sent, "the peer has everything");
      return;
    case CloseReason::idle_timeout:
      require(peer.read == peer.arrived && peer.sent == peer.read,
              "nothing is owed to an idle connection");
      return;
    case CloseReason::stalled_write:
      require(peer.sent < peer.seen || peer.acknowledged < peer.sent + (peer.is_shut ? 1 : 0),
              "the peer takes nothing");
      return;
    case CloseReason::linger_timeout:
      require(peer.is_draining && peer.is_shut, "the daemon stops");
      require(peer.sent == peer.owed_when_drained, "everything came back that was here");
      require(peer.acknowledged == peer.sent + 1, "the peer has everything");
      return;
    case CloseReason::drain_deadline:
    case CloseReason::forced:
      require(may_abort_, "the daemon was told to end at once");
      return;
    default:
      require(false, "an error has a cause", name_of(reason));
  }
}

// Returns the reason that was counted since the last call.
CloseReason SimulatedPeers::last_reason() {
  for (std::size_t i = 0; i < kCloseReasons; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    if (counters_.get(counter_of(reason)) > closed_.at(i)) {
      ++closed_.at(i);
      return reason;
    }
  }
  require(false, "a close has a reason");
  return CloseReason::io_error;
}

SimulatedPeer* SimulatedPeers::find(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd - kFirstFd);
  return fd >= kFirstFd && index < peers_.size() ? &peers_[index] : nullptr;
}

// Updates the lengths of the queues that ioctl(2) returns.
void SimulatedPeers::tell_kernel(const SimulatedPeer& peer) {
  kernel_.set_unread(peer.fd, static_cast<int>(peer.arrived - peer.read));
  const std::uint64_t end = peer.sent + (peer.is_shut ? 1 : 0);
  kernel_.set_unacknowledged(peer.fd, static_cast<int>(end - peer.acknowledged));
}

}  // namespace echod::test
