#include "worker.hpp"

#include <cstdint>
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
    sweep_.restart();
  });
}

void Worker::drain() {
  loop_.post([this] { begin_drain(); });
}

void Worker::abort_connections(CloseReason reason) {
  loop_.post([this, reason] {
    listeners_.clear();
    context_.table.visit_all([reason](Connection& connection) { connection.abort(reason); });
  });
}

void Worker::run() {
  sweep_.restart();
  while (!is_ended_) {
    loop_.run_once();
    context_.table.destroy_retired();
    if (context_.is_draining) {
      std::erase_if(listeners_, [](const auto& listener) { return listener->is_closed(); });
      is_ended_ = is_ended_ || (listeners_.empty() && context_.table.size() == 0);
    }
  }
  context_.log.report_suppressed();
  events_.on_ended();
}

void Worker::begin_drain() {
  context_.is_draining = true;
  context_.admission.set_max_connections(UINT32_MAX);  // Everybody who waits is let in.
  context_.table.visit_all([](Connection& connection) { connection.begin_drain(); });
  for (const auto& listener : listeners_) {
    listener->begin_emptying();
  }
  sweep_.restart();
}

}  // namespace echod
