#include "acceptor.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "accept_policy.hpp"
#include "echo_context.hpp"

namespace echod {

Acceptor::Acceptor(EchoContext& context, std::function<void(int)> on_lost)
    : context_(context),
      on_lost_(std::move(on_lost)),
      on_called_(context.loop, [this] { on_called(); }),
      retry_(context.loop.timers(), [this] { on_retry(); }) {
  context_.admission.open_seat(context_.worker, on_called_);
}

Acceptor::~Acceptor() {
  close();
  context_.admission.close_seat(context_.worker);
}

void Acceptor::add(std::shared_ptr<const sys::ListenSocket> socket) {
  auto queue = std::make_unique<Queue>(*this, std::move(socket));
  const int fd = queue->socket->fd.get();
  queues_.push_back(std::move(queue));
  const sys::IoResult added = context_.loop.add(*queues_.back(), fd, EPOLLIN | EPOLLEXCLUSIVE);
  if (!added.ok()) {
    queues_.pop_back();
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

void Acceptor::look() noexcept {
  if (!queues_.empty()) {
    context_.loop.enqueue(*queues_.front());
  }
}

// In this turn, not in the next pass: the other workers wait for it.
void Acceptor::on_called() noexcept {
  if (accept_some() == Turn::again) {
    look();
  }
}

void Acceptor::on_connections_ended() noexcept {
  context_.admission.set_ready(context_.worker, !is_emptying_);  // Their memory is free.
  if (!is_closed() && context_.admission.take_wish()) {
    look();
  }
}

// All sockets take part: the event of another one may have come when there was no room.
Turn Acceptor::accept_some() noexcept {
  context_.admission.come(context_.worker);
  if (!is_closed()) {
    (void)context_.admission.take_wish();
  }
  note_all();
  for (std::uint32_t accepts = 0; accepts < context_.settings.turn_accepts; ++accepts) {
    Queue* const queue = next_queue();
    if (queue == nullptr) {
      on_all_emptied();
      return Turn::wait;
    }
    if (accept_from(*queue) == Result::stop) {
      return Turn::wait;
    }
    if (is_emptying_ && --queue->left_to_empty == 0) {
      let_go(*queue);
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
  if (!context_.reserve()) {
    if (!sys::has_client(queue.socket->fd.get())) {
      return after_error(queue, EAGAIN);
    }
    wait_for_memory(queue);
    return Result::stop;
  }
  if (is_emptying_) {
    context_.admission.enter();
  } else {
    context_.admission.set_ready(context_.worker, true);
    const auto emptier = context_.admission.emptier_than(context_.worker, context_.loop.now());
    if (emptier && !context_.admission.is_full()) {
      return leave_to(*emptier, queue);
    }
    if (!takes_room(queue)) {
      return Result::stop;
    }
  }
  next_ = (next_ + 1) % queues_.size();  // The socket has its turn, whatever comes of it.
  sys::Accepted accepted = sys::accept(queue.socket->fd.get());
  if (accepted.error != 0) {
    context_.admission.give_back();
    return after_error(queue, accepted.error);
  }
  is_paused_ = false;
  context_.counters.add(Counter::accepted);
  context_.admission.add_to(context_.worker);
  context_.adopt(std::move(accepted));
  return Result::next;
}

// Looks first, in place of the accept4(2) that would say EAGAIN: another thread is not woken for an
// empty queue.
Acceptor::Result Acceptor::leave_to(std::size_t emptier, Queue& queue) noexcept {
  if (!sys::has_client(queue.socket->fd.get())) {
    return after_error(queue, EAGAIN);
  }
  context_.counters.add(Counter::accepts_declined);
  call(emptier);
  return Result::stop;
}

Acceptor::Result Acceptor::after_error(Queue& queue, int error) noexcept {
  switch (verdict_on_accept(error)) {
    case AcceptVerdict::done:
      on_emptied(queue);
      if (context_.admission.take_wish()) {
        note_all();  // Another worker found the daemon full because this one had taken room.
      }
      return Result::next;
    case AcceptVerdict::retry:
      context_.counters.add(Counter::accept_errors);
      context_.log.accept_failed(queue.socket->address, error, context_.loop.now());
      return Result::next;
    case AcceptVerdict::pause:
      wait_for_resources(queue, error);
      return Result::stop;
    case AcceptVerdict::fatal:
      break;
  }
  context_.log.listener_lost(queue.socket->address, error);
  let_go(queue);
  on_lost_(error);
  return Result::next;
}

// The wish comes first: a connection that ends after it has a worker look into the queues. One that
// ended before is seen by is_full().
bool Acceptor::takes_room(const Queue& queue) noexcept {
  Admission& admission = context_.admission;
  while (!admission.try_enter()) {
    admission.wish_for_room();
    if (admission.is_full()) {
      count_pause(Counter::paused_full);
      context_.log.paused_full(queue.socket->address, admission.max_connections(),
                               context_.loop.now());
      return false;
    }
  }
  return true;
}

// The worker that was called last is answerable for all clients in the queues.
void Acceptor::call(std::size_t worker) noexcept {
  called_ = Called{.worker = worker, .time = context_.admission.call(worker)};
  retry_.expire_at(called_->time + Admission::kPatience);
}

// The wish comes first, as in takes_room().
void Acceptor::wait_for_memory(const Queue& queue) noexcept {
  context_.admission.set_ready(context_.worker, false);
  wait_for_resources(queue, ENOMEM);
  if (const auto other = context_.admission.other_than(context_.worker, context_.loop.now())) {
    (void)context_.admission.call(*other);
  }
}

void Acceptor::wait_for_resources(const Queue& queue, int error) noexcept {
  context_.admission.wish_for_room();
  count_pause(Counter::paused_resources);
  const auto log =
      is_emptying_ ? &ConnectionLog::paused_emptying : &ConnectionLog::paused_resources;
  (context_.log.*log)(queue.socket->address, error, context_.admission.connections(),
                      context_.loop.now());
  called_.reset();
  retry_.expire_at(context_.loop.now() + EchoContext::kRetryInterval);
}

// Once, however often it is tried in vain.
void Acceptor::count_pause(Counter cause) noexcept {
  if (!std::exchange(is_paused_, true)) {
    context_.counters.add(cause);
  }
}

void Acceptor::on_retry() noexcept {
  if (called_ && context_.admission.has_come(called_->worker, called_->time)) {
    return;
  }
  called_.reset();
  look();
}

void Acceptor::note_all() noexcept {
  for (const auto& queue : queues_) {
    queue->may_have_clients = true;
  }
}

void Acceptor::begin_emptying() noexcept {
  is_emptying_ = true;
  context_.admission.set_ready(context_.worker, false);
  for (const auto& queue : queues_) {
    if (queue->socket == nullptr) {
      continue;
    }
    // Bounds the work: newcomers could keep the queue from ever being empty.
    queue->left_to_empty = queue->socket->backlog + 1;
    if (queue->socket->is_inherited) {
      let_go(*queue);
    }
  }
  look();
}

void Acceptor::close() noexcept {
  for (const auto& queue : queues_) {
    let_go(*queue);
  }
}

bool Acceptor::is_closed() const noexcept {
  return std::all_of(queues_.begin(), queues_.end(),
                     [](const auto& queue) { return queue->socket == nullptr; });
}

void Acceptor::on_emptied(Queue& queue) noexcept {
  is_paused_ = false;
  queue.may_have_clients = false;
  if (is_emptying_) {
    let_go(queue);
  }
}

void Acceptor::on_all_emptied() noexcept {
  if (!is_emptying_) {
    context_.log.accepts_again(context_.admission.connections(), context_.loop.now());
  }
}

// Another process may hold the socket, too (socket activation): then closing it does not end the
// registration.
void Acceptor::let_go(Queue& queue) noexcept {
  context_.loop.remove(queue);
  if (queue.socket != nullptr) {
    context_.loop.forget_descriptor(queue.socket->fd.get());
    queue.socket.reset();
  }
}

}  // namespace echod
