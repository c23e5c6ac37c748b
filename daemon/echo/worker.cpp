#include "echo/worker.hpp"

#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "sys/invariant.hpp"
#include "sys/process.hpp"
#include "sys/stream_socket.hpp"

namespace echod {

Worker::Worker(const EchoSettings& settings, WorkerLogs logs, SharedState& shared,
               std::size_t number, WorkerEvents events)
    : events_(std::move(events)),
      context_(loop_, settings, std::move(logs), shared.line_limits, shared.pinned_rounds,
               {shared.admission, number}),
      datagrams_(context_, shared.datagram_ports) {
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

void Worker::restore(const WorkerTotals& totals) noexcept {
  for (std::size_t i = 0; i < kCounters; ++i) {
    context_.counters.add(static_cast<Counter>(i), totals.counters.at(i));
  }
  context_.server_delay.restore(totals.server_delay);
  loop_.restore_stale_events(totals.stale_events);
  loop_.restore_turns(totals.turns);
}

void Worker::adopt(sys::Accepted accepted, ListenerCounts::Listener listener) noexcept {
  context_.counters.add(Counter::accepted);
  if (!context_.reserve()) {
    context_.count_lost(listener);
    sys::reset_on_close(accepted.fd.get());
    return;
  }
  context_.admission.add_connection();
  context_.adopt(std::move(accepted), listener);
}

void Worker::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "cannot start a worker's thread");
  }
}

void Worker::apply(const EchoSettings& settings) noexcept {
  request([&settings](Requests& requests) { requests.settings = settings; });
}

void Worker::drain() noexcept {
  request([](Requests& requests) { requests.drain = true; });
}

void Worker::abort_connections(CloseReason reason) noexcept {
  request([reason](Requests& requests) { requests.abort = reason; });
}

void Worker::inquire(std::shared_ptr<ConnectionInquiry> inquiry) noexcept {
  request([&inquiry](Requests& requests) { requests.inquiry.swap(inquiry); });
}

void Worker::set_parking(Parking parking) noexcept {
  {
    const std::scoped_lock lock(parking_mutex_);
    parking_ = parking;
  }
  on_unparked_.notify_one();
}

void Worker::park() noexcept {
  set_parking(Parking::wanted);
  loop_.interrupt();
}

void Worker::unpark() noexcept {
  set_parking(Parking::none);
}

void Worker::visit_parked(const std::function<void(const ParkedConnection&)>& visitor) {
  invariant(is_parked(), "only the connections of a parked worker are visited");
  (void)context_.table.visit(0, SIZE_MAX, [&](Connection& connection) {
    ParkedConnection parked = connection.park();
    parked.worker = static_cast<std::uint32_t>(context_.admission.worker);
    visitor(parked);
  });
}

void Worker::end() noexcept {
  if (thread_.joinable()) {
    set_parking(Parking::ending);
    request([](Requests& requests) { requests.end = true; });
    thread_.join();
  }
}

template <typename Change>
void Worker::request(Change change) noexcept {
  {
    const std::scoped_lock lock(requests_mutex_);
    change(requests_);
  }
  on_requests_.notify();
}

void Worker::carry_out_requests() noexcept {
  Requests requests;
  {
    const std::scoped_lock lock(requests_mutex_);
    requests = std::exchange(requests_, {});
  }
  if (requests.settings) {
    context_.apply(*requests.settings);
    datagrams_.apply();
    sweep_.schedule();
    acceptor_.set_accepts_in_a_turn(context_.settings.turn_accepts);
    acceptor_.poll_again();  // The limit may be higher now.
  }
  if (requests.drain) {
    begin_drain();
  }
  if (requests.abort) {
    abort_reason_ = *requests.abort;
    acceptor_.close();
    datagrams_.close();
    abort_visit_.start();
  }
  if (requests.inquiry != nullptr) {
    inquiry_ = std::move(requests.inquiry);
    inquiry_visit_.start();
  }
  must_end_ = must_end_ || requests.end;
}

void Worker::run() noexcept {
  sys::name_this_thread("worker-" + std::to_string(context_.admission.worker));
  resume_connections();
  is_serving_.store(true);
  events_.on_serving();
  sweep_.schedule();
  while (!must_end_) {
    loop_.run_once();
    if (context_.table.destroy_retired()) {
      acceptor_.on_connections_ended();
    }
    wait_while_parked();
    const bool is_empty =
        acceptor_.is_closed() && datagrams_.are_closed() && context_.table.size() == 0;
    must_end_ = must_end_ || (context_.is_draining && is_empty);
  }
  context_.log.report_suppressed();
  has_ended_.store(true);
  events_.on_ended();
}

// In the thread, so that all workers do it at the same time.
void Worker::resume_connections() noexcept {
  for (const ParkedConnection& connection : to_resume_.connections) {
    context_.resume(connection, to_resume_.memory);
  }
  to_resume_ = {};
}

void Worker::wait_while_parked() noexcept {
  if (parking_ != Parking::wanted) {  // Without the lock, because this is in each iteration.
    return;
  }
  std::unique_lock lock(parking_mutex_);
  if (parking_ != Parking::wanted) {
    return;  // It was unparked before it was parked.
  }
  parking_ = Parking::parked;
  events_.on_parked();
  // After the wait, parking_ may be `wanted` again: park() was called a second time. It has also
  // interrupted the loop again, so the next iteration parks.
  on_unparked_.wait(lock, [this] { return parking_ != Parking::parked; });
  // Ends without another iteration: others may serve its connections now.
  must_end_ = must_end_ || parking_ == Parking::ending;
}

void Worker::begin_drain() noexcept {
  context_.is_draining = true;
  drain_visit_.start();
  acceptor_.accept_waiting_then_close();
  datagrams_.drain();
  sweep_.schedule();
}

}  // namespace echod
