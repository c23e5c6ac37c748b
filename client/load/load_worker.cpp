#include "client/load/load_worker.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/load/datagram_flow.hpp"
#include "client/load/load_connection.hpp"

namespace echod::client {

namespace {

constexpr std::chrono::milliseconds kSweepInterval{100};
// Checking a connection takes about 50 ns, so this limits sweeps to 5 % of the thread's time.
constexpr std::chrono::microseconds kSweepPerConnection{1};
// Checked per iteration of the loop; takes a few hundred microseconds.
constexpr std::size_t kSweptAtOnce = 4096;
// The most connections that are half-closed at a time at the end of a run. With more, FINs would
// wait in kernel queues for longer than the timeout, and the server would be blamed.
constexpr std::uint64_t kMostHalfClosed = 1024;

std::unique_ptr<LoadPeer> make_peer(LoadContext& context, std::uint32_t number,
                                    std::uint32_t slot) {
  if (context.plan.server.is_udp()) {
    return std::make_unique<DatagramFlow>(context, number, slot);
  }
  return std::make_unique<LoadConnection>(context, number, slot);
}

// How many of `all` items worker `index` gets when they are dealt out in turns.
std::uint32_t share_of(std::uint32_t all, std::uint32_t index, std::uint32_t workers) noexcept {
  return all / workers + (index < all % workers ? 1 : 0);
}

}  // namespace

LoadWorker::LoadWorker(const LoadPlan& plan, std::uint32_t index, LoadWorkerEvents events)
    : plan_(plan),
      index_(index),
      events_(std::move(events)),
      context_(loop_, plan),
      connect_pacer_(loop_,
                     [this](std::uint64_t number, sys::TimePoint /*due*/) {
                       connections_[number]->open();
                       ++opened_;
                       return true;
                     }),
      message_pacer_(loop_, [this](std::uint64_t number,
                                   sys::TimePoint due) { return on_message_due(number, due); }),
      messages_begin_(loop_.timers(), [this] { start_connections(); }),
      window_begin_(loop_.timers(), [this] { usage_at_begin_ = sys::thread_usage(); }),
      window_end_(loop_.timers(), [this] { begin_stopping(); }),
      interval_end_(loop_.timers(), [this] { end_interval(); }),
      sweep_timer_(loop_.timers(), [this] { sweep(); }),
      give_up_timer_(loop_.timers(), [this] { give_up_unbegun(); }),
      abandon_timer_(loop_.timers(), [this] { abandon_all(); }) {
  context_.active = share_of(plan.active, index, plan.threads);
  const std::uint32_t count = share_of(plan.connections, index, plan.threads);
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    connections_.push_back(make_peer(context_, slot * plan.threads + index, slot));
  }
}

LoadWorker::~LoadWorker() {
  if (thread_.joinable()) {
    tasks_.post([this] { is_ended_ = true; });
    thread_.join();
  }
}

void LoadWorker::start_thread() {
  thread_ = std::thread([this] { run(); });
}

void LoadWorker::start(sys::TimePoint begin, const Window& window) {
  tasks_.post([this, begin, window] { begin_running(begin, window); });
}

void LoadWorker::stop() {
  tasks_.post([this] { begin_stopping(); });
}

void LoadWorker::abort() {
  tasks_.post([this] {
    begin_stopping();
    abandon_timer_.expire_at(loop_.now());
  });
}

void LoadWorker::copy_tally(std::function<void(const Tally&)> receiver) {
  tasks_.post([this, receiver = std::move(receiver)] { receiver(context_.tally); });
}

void LoadWorker::run() {
  if (plan_.mode == LoadMode::connect) {
    opened_ = connections_.size();  // Each message opens its connection.
  } else if (plan_.connect_rate_per_s) {
    connect_pacer_.start(Schedule(sys::MonotonicClock::now(), *plan_.connect_rate_per_s,
                                  schedule_share(plan_.connections)),
                         connections_.size());
  }
  sweep_timer_.expire_at(loop_.now() + sweep_interval());
  while (!is_ended_) {
    open_connections();
    end_connections();
    loop_.run_once();
    is_ended_ = is_ended_ || is_finished();
  }
  if (events_.on_interval) {
    events_.on_interval(interval_, collect_interval(), true);
  }
  events_.on_ended();
}

ScheduleShare LoadWorker::schedule_share(std::uint32_t all) const noexcept {
  return {.first = index_,
          .step = plan_.threads,
          .connections = share_of(all, index_, plan_.threads),
          .all_connections = all};
}

// How many messages of the run this worker sends.
std::uint64_t LoadWorker::message_quota() const noexcept {
  if (!plan_.messages) {
    return UINT64_MAX;
  }
  const std::uint64_t rounds = *plan_.messages / plan_.active;
  const auto rest = static_cast<std::uint32_t>(*plan_.messages % plan_.active);
  return rounds * context_.active + share_of(rest, index_, plan_.threads);
}

void LoadWorker::open_connections() noexcept {
  while (!context_.lost_slots.empty() && context_.opening < LoadContext::kMostOpening) {
    const std::uint32_t slot = context_.lost_slots.front();
    context_.lost_slots.pop_front();
    connections_[slot]->reopen();
  }
  if (context_.is_ready || is_window_over_) {
    return;
  }
  while (!plan_.connect_rate_per_s && opened_ < connections_.size() &&
         context_.opening < LoadContext::kMostOpening) {
    connections_[opened_++]->open();
  }
  if (opened_ == connections_.size() && context_.opening == 0) {
    context_.is_ready = true;
    events_.on_ready();
  }
}

void LoadWorker::begin_running(sys::TimePoint begin, const Window& window) {
  if (is_window_over_) {
    return;
  }
  context_.window = window;
  window_begin_.expire_at(window.begin);
  window_end_.expire_at(window.end);
  if (events_.on_interval && plan_.interval < plan_.duration) {
    interval_end_.expire_at(window.begin + plan_.interval);
  }
  if (context_.is_open_loop() && context_.active > 0) {
    message_pacer_.start(schedule_from(begin), message_quota());
  }
  // In an open loop the pacer decides when messages begin.
  if (context_.is_open_loop() || begin <= loop_.now()) {
    start_connections();
  } else {
    messages_begin_.expire_at(begin);
  }
}

// Each worker has its own random arrivals. Their union is a Poisson process too.
Schedule LoadWorker::schedule_from(sys::TimePoint begin) const {
  const bool is_random = plan_.arrivals == Arrivals::poisson;
  const std::uint64_t seed = (std::uint64_t{plan_.seed} << 32U) + index_;
  Schedule schedule(begin, *plan_.rate_per_s, schedule_share(plan_.active),
                    is_random ? std::optional(seed) : std::nullopt);
  sys::TimePoint moment = context_.window.begin;
  for (std::size_t step = 1; step < plan_.steps.rates_per_s.size(); ++step) {
    schedule.change_rate(moment += plan_.steps.time, plan_.steps.rates_per_s[step]);
  }
  return schedule;
}

void LoadWorker::start_connections() noexcept {
  for (std::uint32_t slot = 0; slot < context_.active; ++slot) {
    connections_[slot]->start();
  }
}

// A worker that was delayed may finish several intervals at once. Then the first one gets all
// counts.
void LoadWorker::end_interval() {
  events_.on_interval(interval_, collect_interval(), false);
  const auto last = static_cast<std::size_t>((plan_.duration - sys::Duration(1)) / plan_.interval);
  const auto now = static_cast<std::size_t>((loop_.now() - context_.window.begin) / plan_.interval);
  interval_ = std::min(now, last);
  if (interval_ < last) {
    interval_end_.expire_at(context_.window.begin +
                            plan_.interval * static_cast<std::int64_t>(interval_ + 1));
  }
}

IntervalTally LoadWorker::collect_interval() {
  const IntervalCounts before =
      std::exchange(counts_at_interval_begin_, IntervalCounts::of(context_.tally));
  return {.counts = counts_at_interval_begin_.since(before),
          .latency = std::exchange(context_.interval_latency, Histogram())};
}

void LoadWorker::begin_stopping() {
  if (is_window_over_) {
    return;
  }
  is_window_over_ = true;
  const sys::TimePoint now = loop_.now();
  context_.window.end = std::min(context_.window.end, now);
  if (now >= context_.window.begin) {
    const sys::ThreadUsage used = sys::thread_usage();
    usage_ = {.running = used.running - usage_at_begin_.running,
              .waiting = used.waiting - usage_at_begin_.waiting};
  }
  messages_begin_.cancel();
  window_begin_.cancel();
  window_end_.cancel();
  interval_end_.cancel();
  connect_pacer_.stop();
  message_pacer_.end_before(context_.window.end);
  give_up_timer_.expire_at(now + plan_.timeout);
}

// Stops connections, at most kMostHalfClosed at a time. Stops all at once if the server has failed
// to close one, or in mode connect, in which stopping a connection sends no FIN.
void LoadWorker::end_connections() noexcept {
  if (!is_window_over_ || !message_pacer_.has_ended() || stopped_ == connections_.size()) {
    return;
  }
  context_.is_stopping = true;
  const bool stops_all_at_once =
      plan_.mode == LoadMode::connect ||
      context_.tally.errors.at(static_cast<std::size_t>(LoadError::no_end)) > 0;
  while (stopped_ < connections_.size() &&
         (stops_all_at_once || context_.half_closed < kMostHalfClosed)) {
    connections_[stopped_++]->stop();
  }
  if (stopped_ == connections_.size()) {
    // Stalled connections time out by themselves. This ends connections that never finish.
    constexpr int kMostTimeouts = 10;
    abandon_timer_.expire_at(loop_.now() + kMostTimeouts * plan_.timeout);
  }
}

void LoadWorker::stop_all() noexcept {
  context_.is_stopping = true;
  while (stopped_ < connections_.size()) {
    connections_[stopped_++]->stop();
  }
}

void LoadWorker::give_up_unbegun() noexcept {
  count_overdue_as_not_sent();
  message_pacer_.stop();
  for (const auto& connection : connections_) {
    connection->give_up_unbegun();
  }
}

// Counts the messages that were due before the end of the window but that this client was too slow
// to pass to a connection. There may be too many to count one by one. Each outer round counts up to
// a change of the rate. With random gaps its number is an estimate, and the next round counts the
// rest.
void LoadWorker::count_overdue_as_not_sent() noexcept {
  constexpr std::uint64_t kMostSteps = 1 << 20;
  Schedule rest = message_pacer_.remaining_schedule();
  std::uint64_t left = message_pacer_.remaining();
  while (std::uint64_t more = std::min(left, rest.count_before(context_.window.end))) {
    const std::uint64_t step = more / kMostSteps + 1;
    while (more > 0 && rest.due() < context_.window.end) {
      const std::uint64_t times = std::min(step, more);
      context_.tally.not_sent += context_.window.contains(rest.due()) ? times : 0;
      context_.record_latency(
          rest.due(), std::max<sys::Duration>(loop_.now() - rest.due(), plan_.timeout), times);
      more -= times;
      left -= times;
      rest.skip(times);
    }
  }
}

void LoadWorker::abandon_all() noexcept {
  give_up_unbegun();
  stop_all();
  for (const auto& connection : connections_) {
    connection->abandon();
  }
}

// The connections take turns.
bool LoadWorker::on_message_due(std::uint64_t number, sys::TimePoint due) noexcept {
  if (context_.unbegun >= LoadContext::kMostUnbegun) {
    return false;
  }
  if (context_.window.contains(due)) {
    context_.tally.send_lag.record(sys::MonotonicClock::now() - due);
  }
  connections_[number % context_.active]->message_due(due);
  return true;
}

// A quarter of the timeout if that is short, but longer with very many connections.
sys::Duration LoadWorker::sweep_interval() const noexcept {
  constexpr int kSweepsPerTimeout = 4;
  const auto connections = static_cast<std::int64_t>(connections_.size());
  return std::max<sys::Duration>(
      std::min<sys::Duration>(kSweepInterval, plan_.timeout / kSweepsPerTimeout),
      connections * kSweepPerConnection);
}

void LoadWorker::sweep() noexcept {
  const std::size_t end = std::min(swept_ + kSweptAtOnce, connections_.size());
  for (; swept_ < end; ++swept_) {
    connections_[swept_]->check_timeouts();
  }
  if (swept_ < connections_.size()) {
    sweep_timer_.expire_at(loop_.now());  // Other work goes first.
    return;
  }
  swept_ = 0;
  sweep_timer_.expire_at(loop_.now() + sweep_interval());
}

bool LoadWorker::is_finished() const noexcept {
  return context_.is_stopping && stopped_ == connections_.size() && context_.unbegun == 0 &&
         context_.in_flight == 0 && context_.diagnosing == 0 && context_.opening == 0 &&
         context_.half_closed == 0;
}

}  // namespace echod::client
