#include "echo/worker_datagrams.hpp"

#include <algorithm>
#include <utility>

namespace echod {

void WorkerDatagrams::add(std::shared_ptr<const sys::DatagramSocket> socket) {
  sockets_.push_back(
      std::make_unique<DatagramEcho>(DatagramEcho::Context{.loop = context_.loop,
                                                           .settings = context_.settings,
                                                           .counters = context_.counters,
                                                           .log = context_.log,
                                                           .relay = relay()},
                                     std::move(socket)));
}

bool WorkerDatagrams::echo_queued(const sys::DatagramSocket& socket, sys::TimePoint deadline) {
  DatagramRelay& echoes = relay();
  std::size_t left = most_queued(socket);
  while (left > 0) {
    if (sys::MonotonicClock::now() >= deadline) {
      return false;
    }
    const std::size_t most = std::min(left, sys::DatagramBatch::kMost);
    const DatagramRelay::BatchResult batch =
        echoes.echo(socket.fd.get(), most, context_.loop.now());
    if (batch.received == 0) {
      break;  // Also after an error: there is no later.
    }
    left -= batch.received;
  }
  return true;
}

void WorkerDatagrams::apply() noexcept {
  if (relay_ != nullptr) {
    relay_->set_per_source(context_.settings.datagrams_per_source);
  }
}

void WorkerDatagrams::drain() noexcept {
  for (const auto& socket : sockets_) {
    socket->drain();
  }
}

void WorkerDatagrams::close() noexcept {
  for (const auto& socket : sockets_) {
    socket->close();
  }
}

bool WorkerDatagrams::are_closed() const noexcept {
  return std::all_of(sockets_.begin(), sockets_.end(),
                     [](const auto& socket) { return socket->is_closed(); });
}

DatagramRelay& WorkerDatagrams::relay() {
  if (relay_ == nullptr) {
    relay_ = std::make_unique<DatagramRelay>(context_.counters, own_ports_);
    apply();
  }
  return *relay_;
}

}  // namespace echod
