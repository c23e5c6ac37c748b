#include "admission/acceptor.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "admission/accept_policy.hpp"

namespace echod {

Acceptor::Acceptor(const Parts& parts, std::uint32_t accepts_in_a_turn,
                   std::function<void(int)> on_lost)
    : loop_(parts.loop),
      admission_(parts.admission.admission),
      worker_(parts.admission.worker),
      counters_(parts.counters),
      log_(parts.log),
      connections_(parts.connections),
      accepts_in_a_turn_(accepts_in_a_turn),
      on_lost_(std::move(on_lost)),
      on_wake_(parts.loop, [this] { on_woken(); }),
      retry_(parts.loop.timers(), [this] { on_retry(); }) {
  admission_.add_worker(worker_, on_wake_);
}

Acceptor::~Acceptor() {
  close();
  admission_.remove_worker(worker_);
}

void Acceptor::add(std::shared_ptr<const sys::ListenSocket> socket) {
  auto queue = std::make_unique<Queue>(*this, std::move(socket));
  const int fd = queue->socket->fd.get();
  queues_.push_back(std::move(queue));
  const sys::IoResult added = loop_.add(*queues_.back(), fd, EPOLLIN | EPOLLEXCLUSIVE);
  if (!added.ok()) {
    queues_.pop_back();
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

void Acceptor::poll_again() noexcept {
  if (!queues_.empty()) {
    loop_.enqueue(*queues_.front());
  }
}

// Accepts at once instead of in the next pass, because the waking worker waits for that.
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
  expect_clients_everywhere();
  for (std::uint32_t accepts = 0; accepts < accepts_in_a_turn_; ++accepts) {
    Queue* const queue = next_queue();
    if (queue == nullptr) {
      on_all_empty();
      return Turn::wait;
    }
    if (accept_from(*queue) == Result::stop) {
      return Turn::wait;
    }
    if (is_emptying_ && --queue->left_to_empty == 0) {
      release(*queue);
    }
  }
  return may_have_clients() ? Turn::again : Turn::wait;
}

bool Acceptor::may_have_clients() const noexcept {
  return std::any_of(queues_.begin(), queues_.end(), [](const auto& queue) {
    return queue->socket != nullptr && queue->may_have_clients;
  });
}

Acceptor::Queue* Acceptor::next_queue() noexcept {
  for (std::size_t tried = 0; tried < queues_.size(); ++tried) {
    Queue& queue = *queues_[next_];
    if (queue.socket != nullptr && queue.may_have_clients) {
      return &queue;
    }
    next_ = (next_ + 1) % queues_.size();
  }
  return nullptr;
}

Acceptor::Result Acceptor::accept_from(Queue& queue) noexcept {
  if (!connections_.reserve()) {
    if (!sys::has_client(queue.socket->fd.get())) {
      return after_error(queue, EAGAIN);
    }
    wait_for_memory(queue);
    return Result::stop;
  }
  if (is_emptying_) {
    admission_.take_slot();
  } else {
    admission_.set_can_accept(worker_, true);
    const auto other = admission_.less_loaded_than(worker_, loop_.now());
    if (other && !admission_.is_full()) {
      return leave_to(*other, queue);
    }
    if (!take_slot(queue)) {
      return Result::stop;
    }
  }
  next_ = (next_ + 1) % queues_.size();  // The socket has its turn, whatever comes of it.
  sys::Accepted accepted = sys::accept(queue.socket->fd.get());
  if (accepted.error != 0) {
    admission_.return_slot();
    return after_error(queue, accepted.error);
  }
  is_paused_ = false;
  counters_.add(Counter::accepted);
  admission_.count_connection(worker_);
  connections_.adopt(std::move(accepted));
  return Result::next;
}

// Checks first that a client waits, so that no thread is woken for an empty queue.
Acceptor::Result Acceptor::leave_to(std::size_t other, Queue& queue) noexcept {
  if (!sys::has_client(queue.socket->fd.get())) {
    return after_error(queue, EAGAIN);
  }
  counters_.add(Counter::accepts_declined);
  wake(other);
  return Result::stop;
}

Acceptor::Result Acceptor::after_error(Queue& queue, int error) noexcept {
  switch (verdict_on_accept(error)) {
    case AcceptVerdict::done:
      on_empty(queue);
      if (admission_.claim_waiting_clients()) {
        // Another worker found the limit reached because of the slot that this one had taken.
        expect_clients_everywhere();
      }
      return Result::next;
    case AcceptVerdict::retry:
      counters_.add(Counter::accept_errors);
      log_.accept_failed(queue.socket->address, error, loop_.now());
      return Result::next;
    case AcceptVerdict::pause:
      wait_for_resources(queue, error);
      return Result::stop;
    case AcceptVerdict::fatal:
      break;
  }
  log_.listener_lost(queue.socket->address, error);
  release(queue);
  on_lost_(error);
  return Result::next;
}

// Notes the waiting clients before it checks the limit again: a connection that ends after the note
// has a worker poll the queues, and one that ended before it is seen by is_full().
bool Acceptor::take_slot(const Queue& queue) noexcept {
  while (!admission_.try_take_slot()) {
    admission_.note_waiting_clients();
    if (admission_.is_full()) {
      count_pause(Counter::paused_full);
      log_.paused_full(queue.socket->address, admission_.max_connections(), loop_.now());
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
void Acceptor::wait_for_memory(const Queue& queue) noexcept {
  admission_.set_can_accept(worker_, false);
  wait_for_resources(queue, ENOMEM);
  if (const auto other = admission_.other_than(worker_, loop_.now())) {
    (void)admission_.wake(*other);
  }
}

void Acceptor::wait_for_resources(const Queue& queue, int error) noexcept {
  admission_.note_waiting_clients();
  count_pause(Counter::paused_resources);
  const auto log =
      is_emptying_ ? &ConnectionLog::paused_emptying : &ConnectionLog::paused_resources;
  (log_.*log)(queue.socket->address, error, admission_.connections(), loop_.now());
  woken_.reset();
  retry_.expire_at(loop_.now() + kRetryInterval);
}

// Counts a pause once, however often accepting is retried without success.
void Acceptor::count_pause(Counter cause) noexcept {
  if (!std::exchange(is_paused_, true)) {
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

void Acceptor::expect_clients_everywhere() noexcept {
  for (const auto& queue : queues_) {
    queue->may_have_clients = true;
  }
}

void Acceptor::begin_emptying() noexcept {
  is_emptying_ = true;
  admission_.set_can_accept(worker_, false);
  for (const auto& queue : queues_) {
    if (queue->socket == nullptr) {
      continue;
    }
    // Bounds the work: newcomers could keep the queue from ever being empty.
    queue->left_to_empty = queue->socket->backlog + 1;
    if (queue->socket->is_inherited) {
      release(*queue);
    }
  }
  poll_again();
}

void Acceptor::close() noexcept {
  for (const auto& queue : queues_) {
    release(*queue);
  }
}

bool Acceptor::is_closed() const noexcept {
  return std::all_of(queues_.begin(), queues_.end(),
                     [](const auto& queue) { return queue->socket == nullptr; });
}

void Acceptor::on_empty(Queue& queue) noexcept {
  is_paused_ = false;
  queue.may_have_clients = false;
  if (is_emptying_) {
    release(queue);
  }
}

void Acceptor::on_all_empty() noexcept {
  if (!is_emptying_) {
    log_.accepts_again(admission_.connections(), loop_.now());
  }
}

// With socket activation the service manager has the socket open too. Then closing it here would
// not end its registration with epoll.
void Acceptor::release(Queue& queue) noexcept {
  loop_.remove(queue);
  if (queue.socket != nullptr) {
    loop_.forget_descriptor(queue.socket->fd.get());
    queue.socket.reset();
  }
}

}  // namespace echod
