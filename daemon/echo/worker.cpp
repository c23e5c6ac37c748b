#include "worker.hpp"

#include <algorithm>
#include <cstdint>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "process.hpp"

namespace echod {

Worker::Worker(const EchoSettings& settings, std::shared_ptr<spdlog::logger> logger,
               std::shared_ptr<Roster> roster, std::size_t number, WorkerEvents events)
    : events_(std::move(events)),
      context_(loop_, settings, std::move(logger), std::move(roster), number) {
  if (!context_.reserve()) {  // Some connections have room whatever happens.
    throw std::bad_alloc();
  }
  context_.inbox().open(loop_, [this] { take_mail(); });
}

Worker::~Worker() {
  if (thread_.joinable()) {
    loop_.post([this] { is_ended_ = true; });
    thread_.join();
  }
  context_.inbox().close();
}

void Worker::listen(std::shared_ptr<const sys::ListenSocket> socket) {
  listeners_.push_back(
      std::make_unique<Listener>(context_, std::move(socket), events_.on_listener_lost));
  listeners_.back()->start();
}

void Worker::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "cannot start a worker's thread");
  }
}

std::function<void()> Worker::task_to_apply(const EchoSettings& settings) {
  return [this, settings] {
    context_.apply(settings);
    sweep_.restart();
  };
}

void Worker::drain() {
  loop_.post([this] { begin_drain(); });
}

void Worker::abort_connections(CloseReason reason) {
  loop_.post([this, reason] {
    aborting_ = reason;
    listeners_.clear();
    context_.table.visit_all([reason](Connection& connection) { connection.abort(reason); });
  });
}

void Worker::look_around() {
  loop_.post([this] {
    for (const auto& listener : listeners_) {
      listener->look();
    }
    context_.admission.catch_up();
  });
}

void Worker::ask() {
  loop_.post([this] { answers_.fetch_add(1); });
}

void Worker::run() {
  sys::name_this_thread("worker-" + std::to_string(context_.worker));
  sweep_.restart();
  while (!is_ended_) {
    loop_.run_once();
    const std::size_t connections = context_.table.size();
    context_.table.destroy_retired();
    if (retry_.is_running() && context_.table.size() < connections) {
      take_mail();  // Who waits here came before those who wait to be accepted.
    }
    if (context_.is_draining) {
      std::erase_if(listeners_, [](const auto& listener) { return listener->is_closed(); });
      is_ended_ = is_ended_ || has_drained();
    }
  }
  context_.log.report_suppressed();
  has_ended_.store(true);
  events_.on_ended();
}

void Worker::begin_drain() {
  context_.is_draining = true;
  const bool empties_queues = std::any_of(listeners_.begin(), listeners_.end(),
                                          [](const auto& one) { return !one->is_passed(); });
  if (empties_queues) {
    context_.admission.set_max_connections(UINT32_MAX);  // Everybody who waits is let in.
  }
  context_.table.visit_all([](Connection& connection) { connection.begin_drain(); });
  for (const auto& listener : listeners_) {
    listener->begin_emptying();
  }
  sweep_.restart();
}

// Another one may have handed over a connection just before it began to drain.
bool Worker::has_drained() noexcept {
  return listeners_.empty() && context_.table.size() == 0 && context_.inbox().close_if_empty();
}

void Worker::take_mail() noexcept {
  Inbox::Mail& mail = context_.inbox().take();
  take_in(mail.connections);
  for (const Waiters waiters : {Waiters::any, Waiters::for_room}) {
    for (std::uint32_t i = 0; i < mail.room.at(static_cast<std::size_t>(waiters)); ++i) {
      context_.admission.on_room(waiters);
    }
  }
  if (mail.was_late) {
    context_.admission.catch_up();
  }
}

// Those that no worker has memory for stay, as if they waited to be accepted still.
void Worker::take_in(Inbox::Connections& given) noexcept {
  while (!given.empty() && context_.reserve()) {
    Connection& connection = context_.adopt(std::move(given.front()));
    given.pop_front();
    if (aborting_) {
      connection.abort(*aborting_);
    }
  }
  while (!given.empty() && pass_on(given)) {
  }
  retry_.cancel();
  if (!given.empty()) {
    context_.counters.add(Counter::paused_resources);
    context_.log.kept_waiting(given.front().peer, loop_.now());
    retry_.expire_at(loop_.now() + EchoContext::kRetryInterval);
  }
}

bool Worker::pass_on(Inbox::Connections& given) noexcept {
  const sys::SocketAddress peer = given.front().peer;
  const bool is_passed_on = context_.roster->pass_on(context_.worker, given, loop_.now());
  if (is_passed_on) {
    context_.counters.add(Counter::passed_on);
    context_.log.passed_on(peer, loop_.now());
  }
  return is_passed_on;
}

}  // namespace echod
