#include "echo/worker.hpp"

#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "sys/process.hpp"

namespace echod {

Worker::Worker(const EchoSettings& settings, WorkerLogs logs, SharedState& shared,
               std::size_t number, WorkerEvents events)
    : events_(std::move(events)),
      context_(loop_, settings, std::move(logs), shared.line_limits, {shared.admission, number}) {
  if (!context_.reserve()) {  // The first connections have memory, whatever happens later.
    throw std::bad_alloc();
  }
}

Worker::~Worker() {
  end();
}

void Worker::listen(std::shared_ptr<const sys::ListenSocket> socket) {
  acceptor_.add(std::move(socket));
}

void Worker::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "cannot start a worker's thread");
  }
}

void Worker::apply(const EchoSettings& settings) noexcept {
  order([&settings](Orders& orders) { orders.settings = settings; });
}

void Worker::drain() noexcept {
  order([](Orders& orders) { orders.drain = true; });
}

void Worker::abort_connections(CloseReason reason) noexcept {
  order([reason](Orders& orders) { orders.abort = reason; });
}

void Worker::end() noexcept {
  if (thread_.joinable()) {
    order([](Orders& orders) { orders.end = true; });
    thread_.join();
  }
}

template <typename Change>
void Worker::order(Change change) noexcept {
  {
    const std::scoped_lock lock(orders_mutex_);
    change(orders_);
  }
  on_orders_.notify();
}

void Worker::carry_out_orders() noexcept {
  Orders orders;
  {
    const std::scoped_lock lock(orders_mutex_);
    orders = std::exchange(orders_, {});
  }
  if (orders.settings) {
    context_.apply(*orders.settings);
    sweep_.restart();
    acceptor_.set_accepts_in_a_turn(context_.settings.turn_accepts);
    acceptor_.poll_again();  // The limit may be higher now.
  }
  if (orders.drain) {
    begin_drain();
  }
  if (orders.abort) {
    abort_reason_ = *orders.abort;
    acceptor_.close();
    abort_visit_.start();
  }
  must_end_ = must_end_ || orders.end;
}

void Worker::run() noexcept {
  sys::name_this_thread("worker-" + std::to_string(context_.admission.worker));
  sweep_.restart();
  while (!must_end_) {
    loop_.run_once();
    if (context_.table.destroy_retired()) {
      acceptor_.on_connections_ended();
    }
    const bool is_empty = acceptor_.is_closed() && context_.table.size() == 0;
    must_end_ = must_end_ || (context_.is_draining && is_empty);
  }
  context_.log.report_suppressed();
  has_ended_.store(true);
  events_.on_ended();
}

void Worker::begin_drain() noexcept {
  context_.is_draining = true;
  drain_visit_.start();
  acceptor_.accept_waiting_then_close();
  sweep_.restart();
}

}  // namespace echod
