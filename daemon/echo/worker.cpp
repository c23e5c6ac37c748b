#include "worker.hpp"

#include <utility>

namespace echod {

Worker::Worker(const EchoSettings& settings, std::shared_ptr<spdlog::logger> logger,
               WorkerEvents events)
    : events_(std::move(events)), context_(loop_, settings, std::move(logger)) {}

Worker::~Worker() {
  if (thread_.joinable()) {
    loop_.post([this] { is_ended_ = true; });
    thread_.join();
  }
}

void Worker::listen(std::shared_ptr<const sys::ListenSocket> socket) {
  listeners_.push_back(
      std::make_unique<Listener>(context_, std::move(socket), events_.on_listener_lost));
  listeners_.back()->start();
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::apply(const EchoSettings& settings) {
  loop_.post([this, settings] {
    context_.apply(settings);
    sweep_.restart(is_draining_);
  });
}

void Worker::drain() {
  loop_.post([this] { begin_drain(); });
}

void Worker::abort_connections(CloseReason reason) {
  loop_.post([this, reason] {
    context_.table.visit_all([reason](Connection& connection) { connection.abort(reason); });
  });
}

void Worker::run() {
  sweep_.restart(is_draining_);
  while (!is_ended_) {
    loop_.run_once();
    context_.table.destroy_retired();
    if (is_draining_ && context_.table.size() == 0) {
      is_ended_ = true;
      events_.on_ended();
    }
  }
}

void Worker::begin_drain() {
  for (const auto& listener : listeners_) {
    listener->empty_and_close();
  }
  listeners_.clear();
  context_.table.visit_all([](Connection& connection) { connection.begin_drain(); });
  is_draining_ = true;
  sweep_.restart(is_draining_);
}

}  // namespace echod
