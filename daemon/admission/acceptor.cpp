#include "admission/acceptor.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "admission/accept_policy.hpp"

namespace echod {

Acceptor::Acceptor(const Context& context, std::uint32_t accepts_in_a_turn,
                   std::function<void(int)> on_lost)
    : loop_(context.loop),
      admission_(context.admission.shared),
      worker_(context.admission.worker),
      counters_(context.counters),
      log_(context.log),
      connections_(context.connections),
      accepts_in_a_turn_(accepts_in_a_turn),
      on_lost_(std::move(on_lost)),
      on_wake_(context.loop, [this] { on_woken(); }),
      retry_(context.loop.timers(), [this] { on_retry(); }) {
  admission_.add_worker(worker_, on_wake_);
}

Acceptor::~Acceptor() {
  close();
  admission_.remove_worker(worker_);
}

void Acceptor::add(std::shared_ptr<const sys::ListenSocket> socket) {
  auto listener = std::make_unique<Listener>(*this, std::move(socket),
                                             static_cast<std::uint8_t>(listeners_.size()));
  const int fd = listener->socket->fd.get();
  listeners_.push_back(std::move(listener));
  const sys::IoResult added = loop_.add(*listeners_.back(), fd, EPOLLIN | EPOLLEXCLUSIVE);
  if (!added.ok()) {
    listeners_.pop_back();
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

void Acceptor::remove_last() noexcept {
  release(*listeners_.back());
  listeners_.pop_back();
}

void Acceptor::poll_again() noexcept {
  if (!listeners_.empty()) {
    loop_.enqueue(*listeners_.front());
  }
}

// Accepts immediately instead of in the next pass, because the waking worker waits for that.
void Acceptor::on_woken() noexcept {
  if (accept_some() == Turn::again) {
    poll_again();
  }
}

void Acceptor::on_connections_ended() noexcept {
  admission_.set_can_accept(worker_, !is_emptying_);  // The memory of the connections is free.
  if (!is_closed() && admission_.claim_waiting_clients()) {
    poll_again();
  }
}

// Polls all queues, not only the one with an event: the event of another queue may have come while
// there was no slot.
Turn Acceptor::accept_some() noexcept {
  admission_.answer_wake(worker_);
  if (!is_closed()) {
    (void)admission_.claim_waiting_clients();
  }
  assume_clients_in_all_queues();
  for (std::uint32_t accepts = 0; accepts < accepts_in_a_turn_; ++accepts) {
    Listener* const listener = next_listener();
    if (listener == nullptr) {
      on_all_empty();
      return Turn::wait;
    }
    if (accept_from(*listener) == Result::stop) {
      return Turn::wait;
    }
    if (is_emptying_ && --listener->left_to_empty == 0) {
      release(*listener);
    }
  }
  return may_have_clients() ? Turn::again : Turn::wait;
}

bool Acceptor::may_have_clients() const noexcept {
  return std::any_of(listeners_.begin(), listeners_.end(), [](const auto& listener) {
    return listener->socket != nullptr && listener->may_have_clients;
  });
}

Acceptor::Listener* Acceptor::next_listener() noexcept {
  for (std::size_t tried = 0; tried < listeners_.size(); ++tried) {
    Listener& listener = *listeners_[next_];
    if (listener.socket != nullptr && listener.may_have_clients) {
      return &listener;
    }
    next_ = (next_ + 1) % listeners_.size();
  }
  return nullptr;
}

Acceptor::Result Acceptor::accept_from(Listener& listener) noexcept {
  if (!connections_.reserve()) {
    if (!sys::has_client(listener.socket->fd.get())) {
      return after_error(listener, EAGAIN);
    }
    wait_for_memory(listener);
    return Result::stop;
  }
  if (is_emptying_) {
    admission_.take_slot();
  } else {
    admission_.set_can_accept(worker_, true);
    const auto other = admission_.less_loaded_than(worker_, loop_.now());
    if (other && !admission_.is_full()) {
      return leave_to(*other, listener);
    }
    if (!take_slot(listener)) {
      return Result::stop;
    }
  }
  // The next accept is from another socket, also after an error.
  next_ = (next_ + 1) % listeners_.size();
  sys::Accepted accepted = sys::accept(listener.socket->fd.get());
  if (accepted.error != 0) {
    admission_.return_slot();
    return after_error(listener, accepted.error);
  }
  pause_cause_.reset();
  counters_.add(Counter::accepted);
  admission_.count_connection(worker_);
  connections_.adopt(std::move(accepted), listener.number);
  return Result::next;
}

// Checks first that a client waits, so that no thread is woken for an empty listener.
Acceptor::Result Acceptor::leave_to(std::size_t other, Listener& listener) noexcept {
  if (!sys::has_client(listener.socket->fd.get())) {
    return after_error(listener, EAGAIN);
  }
  counters_.add(Counter::accepts_declined);
  wake(other);
  return Result::stop;
}

Acceptor::Result Acceptor::after_error(Listener& listener, int error) noexcept {
  switch (verdict_on_accept(error)) {
    case AcceptVerdict::done:
      on_empty(listener);
      if (admission_.claim_waiting_clients()) {
        // Another worker found the limit reached because of the slot that this one had taken.
        assume_clients_in_all_queues();
      }
      return Result::next;
    case AcceptVerdict::retry:
      counters_.add(Counter::accept_errors);
      log_.accept_failed(listener.socket->name, error, loop_.now());
      return Result::next;
    case AcceptVerdict::pause:
      wait_for_resources(listener, error);
      return Result::stop;
    case AcceptVerdict::fatal:
      break;
  }
  log_.listener_lost(listener.socket->name, error);
  release(listener);
  on_lost_(error);
  return Result::next;
}

// Notes the waiting clients before it checks the limit again: a connection that ends after the note
// has a worker poll the queues, and one that ended before it is seen by is_full().
bool Acceptor::take_slot(const Listener& listener) noexcept {
  while (!admission_.try_take_slot()) {
    admission_.note_waiting_clients();
    if (admission_.is_full()) {
      count_pause(Counter::paused_full);
      log_.paused_full(listener.socket->name, admission_.max_connections(), loop_.now());
      return false;
    }
  }
  return true;
}

// The worker that was woken last is responsible for the clients in all queues.
void Acceptor::wake(std::size_t worker) noexcept {
  woken_ = Woken{.worker = worker, .time = admission_.wake(worker)};
  retry_.expire_at(woken_->time + Admission::kWakeTimeout);
}

// Notes the waiting clients before it looks for another worker, as in take_slot().
void Acceptor::wait_for_memory(const Listener& listener) noexcept {
  admission_.set_can_accept(worker_, false);
  wait_for_resources(listener, ENOMEM);
  if (const auto other = admission_.least_loaded_except(worker_, loop_.now())) {
    (void)admission_.wake(*other);
  }
}

void Acceptor::wait_for_resources(const Listener& listener, int error) noexcept {
  admission_.note_waiting_clients();
  count_pause(Counter::paused_resources);
  const auto log =
      is_emptying_ ? &ConnectionLog::paused_emptying : &ConnectionLog::paused_resources;
  (log_.*log)(listener.socket->name, error, admission_.connections(), loop_.now());
  woken_.reset();
  retry_.expire_at(loop_.now() + kRetryInterval);
}

// Counts a pause once, however often accepting is retried without success.
void Acceptor::count_pause(Counter cause) noexcept {
  if (std::exchange(pause_cause_, cause) != cause) {
    counters_.add(cause);
  }
}

void Acceptor::on_retry() noexcept {
  if (woken_ && admission_.has_answered(woken_->worker, woken_->time)) {
    return;
  }
  woken_.reset();
  poll_again();
}

void Acceptor::assume_clients_in_all_queues() noexcept {
  for (const auto& listener : listeners_) {
    listener->may_have_clients = true;
  }
}

void Acceptor::accept_waiting_then_close() noexcept {
  is_emptying_ = true;
  admission_.set_can_accept(worker_, false);
  for (const auto& listener : listeners_) {
    if (listener->socket == nullptr) {
      continue;
    }
    // Bounds the work: newcomers could keep the queue from ever being empty.
    listener->left_to_empty = listener->socket->backlog + 1;
    if (listener->socket->is_passed) {
      release(*listener);
    }
  }
  poll_again();
}

void Acceptor::close() noexcept {
  for (const auto& listener : listeners_) {
    release(*listener);
  }
}

bool Acceptor::is_closed() const noexcept {
  return std::all_of(listeners_.begin(), listeners_.end(),
                     [](const auto& listener) { return listener->socket == nullptr; });
}

void Acceptor::on_empty(Listener& listener) noexcept {
  pause_cause_.reset();
  listener.may_have_clients = false;
  if (is_emptying_) {
    release(listener);
  }
}

void Acceptor::on_all_empty() noexcept {
  if (!is_emptying_) {
    log_.accepts_again(admission_.connections(), loop_.now());
  }
}

// With socket activation the service manager has the socket open too. Then closing it here would
// not end its registration with epoll.
void Acceptor::release(Listener& listener) noexcept {
  loop_.remove(listener);
  if (listener.socket != nullptr) {
    loop_.forget_descriptor(listener.socket->fd.get());
    listener.socket.reset();
  }
}

}  // namespace echod
