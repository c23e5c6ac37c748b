#include "listener.hpp"

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

#include "accept_policy.hpp"
#include "echo_context.hpp"

namespace echod {

Listener::Listener(EchoContext& context, std::shared_ptr<const sys::ListenSocket> socket,
                   std::function<void(int)> on_lost)
    : context_(context),
      socket_(std::move(socket)),
      on_lost_(std::move(on_lost)),
      retry_(context.loop.timers(), [this] { resume(); }) {}

Listener::~Listener() {
  let_go();
}

void Listener::start() {
  context_.admission.reserve_waiter();
  const sys::IoResult added = context_.loop.add(*this, socket_->fd.get(), EPOLLIN | EPOLLEXCLUSIVE);
  if (!added.ok()) {
    throw std::system_error(added.error(), std::system_category(), "epoll_ctl");
  }
}

Turn Listener::on_turn(std::uint32_t /*events*/) noexcept {
  if (is_waiting_) {
    return Turn::wait;
  }
  if (is_emptying_) {
    empty();
    return Turn::wait;
  }
  const Turn turn = accept_some();
  if (turn == Turn::wait) {
    context_.admission.pass_on();
  }
  return turn;
}

Turn Listener::accept_some() noexcept {
  for (std::uint32_t accepts = 0; accepts < context_.settings.turn_accepts; ++accepts) {
    if (!context_.admission.try_enter()) {
      context_.counters.add(Counter::paused_full);
      context_.log.paused_full(socket_->address, context_.admission.max_connections(),
                               context_.loop.now());
      is_waiting_ = true;
      context_.admission.wait_for_room(*this);
      return Turn::wait;
    }
    context_.admission.forget(*this);  // It has its chance now: if it waits again, at the tail.
    if (accept_one() != Accepting::next) {
      return Turn::wait;
    }
  }
  return Turn::again;
}

void Listener::resume() noexcept {
  is_waiting_ = false;
  retry_.cancel();
  context_.loop.enqueue(*this);
}

void Listener::look() noexcept {
  if (!is_closed()) {
    context_.loop.enqueue(*this);
  }
}

void Listener::begin_emptying() noexcept {
  is_emptying_ = true;
  is_waiting_ = false;
  context_.admission.forget(*this);
  // No worker takes more than can have waited when this began, or a flood of newcomers would keep
  // it.
  left_to_empty_ = socket_->backlog + 1;
  if (socket_->is_passed) {
    let_go();  // Who waits in its queue is not reset: whoever passed it has it open, for our
               // successor.
  } else {
    empty();
  }
}

void Listener::empty() noexcept {
  for (; left_to_empty_ > 0; --left_to_empty_) {
    context_.admission.enter();
    const Accepting accepting = accept_one();
    if (accepting == Accepting::pause) {
      return;
    }
    if (accepting != Accepting::next) {
      break;
    }
  }
  let_go();
}

void Listener::let_go() noexcept {
  retry_.cancel();
  context_.admission.forget(*this);
  context_.loop.remove(*this);
  if (socket_ != nullptr) {
    // Another process may hold the socket too (socket activation): then closing it does not end the
    // registration.
    context_.loop.forget_descriptor(socket_->fd.get());
    socket_.reset();
  }
  context_.admission.pass_on();
}

// With room for it taken, which is given back if nobody comes.
Listener::Accepting Listener::accept_one() noexcept {
  if (!reserve()) {
    context_.admission.give_back();
    pause_for_resources(ENOMEM);
    return Accepting::pause;
  }
  sys::Accepted& accepted = next_.front();
  accepted = sys::accept(socket_->fd.get());
  if (accepted.error == 0) {
    context_.counters.add(Counter::accepted);
    // While emptying it stays here: a worker that is stuck would keep it for ever.
    if (!is_emptying_ && context_.roster->spread(context_.worker, next_, context_.loop.now())) {
      context_.counters.add(Counter::handed_over);
    } else {
      context_.roster->keep(context_.worker);
      context_.adopt(std::move(accepted));
    }
    return Accepting::next;
  }
  context_.admission.give_back();
  switch (verdict_on_accept(accepted.error)) {
    case AcceptVerdict::done:
      return Accepting::done;
    case AcceptVerdict::retry:
      context_.counters.add(Counter::accept_errors);
      context_.log.accept_failed(socket_->address, accepted.error, context_.loop.now());
      return Accepting::next;
    case AcceptVerdict::pause:
      pause_for_resources(accepted.error);
      return Accepting::pause;
    case AcceptVerdict::fatal:
      break;
  }
  context_.log.listener_lost(socket_->address, accepted.error);
  on_lost_(accepted.error);
  return Accepting::lost;
}

// For a connection that stays here as for one that is handed over.
bool Listener::reserve() noexcept {
  try {
    if (next_.empty()) {
      next_.emplace_back();
    }
  } catch (const std::bad_alloc&) {
    return false;
  }
  return context_.reserve();
}

void Listener::pause_for_resources(int error) noexcept {
  context_.counters.add(Counter::paused_resources);
  const std::uint32_t connections = context_.admission.connections();
  if (is_emptying_) {
    context_.log.paused_emptying(socket_->address, error, connections, context_.loop.now());
  } else {
    context_.log.paused_resources(socket_->address, error, connections, context_.loop.now());
  }
  is_waiting_ = true;
  context_.admission.wait_for_resources(*this);
  retry_.expire_at(context_.loop.now() + EchoContext::kRetryInterval);
}

}  // namespace echod
