#include "client/load/load_run.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace echod::client {

namespace {

constexpr std::chrono::milliseconds kProgressInterval{500};

std::optional<sys::ServerUsage> difference(const std::optional<sys::ServerUsage>& begin,
                                           const std::optional<sys::ServerUsage>& end) {
  if (!begin || !end) {
    return std::nullopt;
  }
  const auto since = [](std::uint64_t earlier, std::uint64_t later) {
    return later - std::min(earlier, later);  // Counts shrink when threads end.
  };
  const auto sum = end->user + end->system - begin->user - begin->system;
  const auto user = std::min(end->user - begin->user, sum);  // Rounded to ticks, so may exceed sum.
  return sys::ServerUsage{
      .user = user,
      .system = sum - user,
      .resident_bytes = end->resident_bytes,
      .voluntary_switches = since(begin->voluntary_switches, end->voluntary_switches),
      .involuntary_switches = since(begin->involuntary_switches, end->involuntary_switches)};
}

// The part of a tally that is in progress reports. Workers copy it while they measure, so it leaves
// out the other histograms, of about 270 KB each.
Tally progress_part_of(const Tally& tally) {
  Tally part;
  part.connected = tally.connected;
  part.errors = tally.errors;
  part.datagrams = tally.datagrams;
  part.echoes = tally.echoes;
  part.bytes_received = tally.bytes_received;
  part.latency = tally.latency;
  return part;
}

}  // namespace

LoadRun::LoadRun(const LoadPlan& plan, std::function<void(const LoadProgress&)> on_progress,
                 std::function<void(const Interval&)> on_interval)
    : plan_(plan),
      on_progress_(std::move(on_progress)),
      signals_({SIGINT, SIGTERM}),
      signal_watch_(loop_, signals_, [this](int /*signal*/) { on_signal(); }),
      messages_begin_(loop_.timers(), [this] { begin_messages(); }),
      window_begin_(loop_.timers(), [this] { begin_window(); }),
      window_end_(loop_.timers(), [this] { end_window(); }),
      progress_timer_(loop_.timers(), [this] { ask_for_progress(); }),
      series_(plan.interval, plan.threads, std::move(on_interval)),
      reported_(plan.threads) {
  for (std::uint32_t index = 0; index < plan_.threads; ++index) {
    workers_.push_back(std::make_unique<LoadWorker>(
        plan_, index,
        LoadWorkerEvents{
            .on_ready = [this] { tasks_.post([this] { on_ready(); }); },
            .on_interval =
                [this, index](std::size_t number, IntervalTally tally, bool has_ended) {
                  tasks_.post([this, index, number, tally = std::move(tally), has_ended] {
                    series_.add(index, number, tally, has_ended, measured());
                  });
                },
            .on_ended = [this] { tasks_.post([this] { on_ended(); }); }}));
  }
}

LoadResult LoadRun::run() {
  begin_ = sys::MonotonicClock::now();
  for (const auto& worker : workers_) {
    worker->start_thread();
  }
  if (on_progress_) {
    progress_timer_.expire_at(loop_.now() + kProgressInterval);
  }
  while (ended_ < workers_.size()) {
    loop_.run_once();
  }
  phase_ = LoadPhase::done;
  return result();
}

void LoadRun::on_ready() {
  if (++ready_ < workers_.size() || phase_ != LoadPhase::connecting) {
    return;
  }
  if (plan_.mode != LoadMode::connect) {
    connecting_ = loop_.now() - begin_;
  }
  const Moment now = std::chrono::system_clock::now();
  const sys::Duration wait = plan_.start_at.value_or(now) - now;
  if (wait < sys::Duration(0)) {
    start_missed_by_ = -wait;
    stop();
    return;
  }
  phase_ = LoadPhase::waiting;
  const sys::TimePoint begin = sys::MonotonicClock::now() + wait;
  window_began_ = now + wait + plan_.warmup;
  window_.begin = begin + plan_.warmup;
  window_.end = window_.begin + plan_.duration;
  if (wait > sys::Duration(0)) {
    messages_begin_.expire_at(begin);
  } else {
    begin_messages();  // First, because connections may fail at once.
  }
  window_begin_.expire_at(window_.begin);
  window_end_.expire_at(window_.end);
  for (const auto& worker : workers_) {
    worker->start(begin, window_);
  }
}

void LoadRun::begin_messages() {
  phase_ = LoadPhase::warming_up;
  count_connected();
}

void LoadRun::begin_window() {
  phase_ = LoadPhase::measuring;
  server_at_begin_ = plan_.server_pid ? sys::process_usage(*plan_.server_pid) : std::nullopt;
}

void LoadRun::end_window() {
  if (phase_ == LoadPhase::measuring) {
    server_at_end_ = plan_.server_pid ? sys::process_usage(*plan_.server_pid) : std::nullopt;
  }
  phase_ = LoadPhase::finishing;  // The workers stop on their own.
}

void LoadRun::on_signal() {
  switch (stops_.on_signal(loop_.now())) {
    case StopRequest::first:
      is_interrupted_ = phase_ != LoadPhase::finishing;
      stop();
      break;
    case StopRequest::duplicate:
      break;
    case StopRequest::now:
      is_interrupted_ = true;
      for (const auto& worker : workers_) {
        worker->abort();
      }
      break;
  }
}

void LoadRun::stop() {
  if (phase_ < LoadPhase::warming_up) {
    count_connected();
  }
  messages_begin_.cancel();
  window_begin_.cancel();
  window_end_.cancel();
  window_.end = std::min(window_.end, loop_.now());
  end_window();
  for (const auto& worker : workers_) {
    worker->stop();
  }
}

void LoadRun::on_ended() {
  if (++ended_ == workers_.size() && phase_ != LoadPhase::finishing) {
    window_.end = std::min(window_.end, loop_.now());  // All workers ended before the window did.
    end_window();
  }
}

// Reports when all workers have sent their part. If some have not by the next call, reports with
// their previous one.
void LoadRun::ask_for_progress() {
  if (awaited_ > 0) {
    report_progress();
  }
  awaited_ = workers_.size();
  for (std::size_t index = 0; index < workers_.size(); ++index) {
    workers_[index]->copy_tally([this, index](const Tally& tally) {
      tasks_.post([this, index, part = progress_part_of(tally)]() mutable {
        reported_[index] = std::move(part);
        if (awaited_ > 0 && --awaited_ == 0) {
          report_progress();
        }
      });
    });
  }
  progress_timer_.expire_at(loop_.now() + kProgressInterval);
}

void LoadRun::report_progress() {
  LoadProgress progress;
  progress.phase = phase_;
  progress.measured = std::clamp<std::chrono::nanoseconds>(
      loop_.now() - window_.begin, std::chrono::nanoseconds(0), plan_.duration);
  for (const Tally& tally : reported_) {
    progress.tally.add(tally);
  }
  on_progress_(progress);
}

void LoadRun::count_connected() {
  for (const auto& worker : workers_) {
    worker->copy_tally([this](const Tally& tally) {
      tasks_.post([this, connected = tally.connected] { connected_ += connected; });
    });
  }
}

std::chrono::nanoseconds LoadRun::measured() const noexcept {
  return std::max<std::chrono::nanoseconds>(window_.end - window_.begin,
                                            std::chrono::nanoseconds(0));
}

LoadResult LoadRun::result() const {
  LoadResult result;
  result.has_begun = true;
  result.measured = measured();
  if (result.measured > sys::Duration(0)) {
    result.measured_from = window_began_;
  }
  result.series = series_.intervals();
  result.is_interrupted = is_interrupted_;
  result.connected = connected_;
  result.connecting = connecting_;
  result.start_missed_by = start_missed_by_;
  result.steps.resize(plan_.steps.rates_per_s.size());
  for (const auto& worker : workers_) {
    result.tally.add(worker->tally());
    for (std::size_t step = 0; step < result.steps.size(); ++step) {
      result.steps[step].add(worker->steps()[step]);
    }
    const sys::ThreadUsage& usage = worker->usage();
    result.client_cpu += usage.running;
    const auto busy = static_cast<double>((usage.running + usage.waiting).count());
    const auto measured = static_cast<double>(result.measured.count());
    result.thread_shares.push_back(measured > 0 ? std::min(1.0, busy / measured) : 0);
  }
  result.server = difference(server_at_begin_, server_at_end_);
  return result;
}

}  // namespace echod::client
