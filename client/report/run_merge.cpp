#include "client/report/run_merge.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <tuple>

#include "client/text/figures.hpp"

namespace echod::client {

namespace {

using std::chrono::nanoseconds;

// Throws if the records differ in a setting that must be equal for the sum to make sense.
void require_alike(const RunRecord& first, const RunRecord& other) {
  const LoadPlan& one = first.options.plan;
  const LoadPlan& two = other.options.plan;
  const char* different = nullptr;
  const auto compare = [&different](const char* name, const auto& left, const auto& right) {
    different = left == right ? different : name;
  };
  compare("--timeout", one.timeout, two.timeout);
  compare("--warmup", one.warmup, two.warmup);
  compare("--duration", one.duration, two.duration);
  compare("--messages", one.messages.has_value(), two.messages.has_value());
  compare("--arrivals", one.arrivals, two.arrivals);
  compare("--rate", one.steps.rates_per_s.size(), two.steps.rates_per_s.size());
  compare("--rate", one.steps.time, two.steps.time);
  compare("--rate", one.rate_per_s.has_value(), two.rate_per_s.has_value());
  compare("--burst", one.burst, two.burst);
  compare("--depth", one.depth, two.depth);
  compare("--size", one.sizes.smallest, two.sizes.smallest);
  compare("--size", one.sizes.largest, two.sizes.largest);
  compare("--mode", one.mode, two.mode);
  if (one.server.is_known() && two.server.is_known()) {
    compare("the kind of the server", one.server.transport(), two.server.transport());
  }
  if (different != nullptr) {
    throw std::runtime_error(first.parts.front().name + " and " + other.parts.front().name +
                             " are not parts of one run: they differ in " + different);
  }
}

// Throws if a run is among the parts twice.
void require_different_runs(const std::vector<RunPart>& parts) {
  const auto identity = [](const RunPart& part) {
    return std::tie(part.environment.host, part.measured_from, part.seed, part.echoes);
  };
  for (auto part = parts.begin(); part != parts.end(); ++part) {
    const auto same = std::find_if(std::next(part), parts.end(), [&](const RunPart& other) {
      return identity(*part) == identity(other);
    });
    if (same != parts.end()) {
      throw std::runtime_error(part->name + " and " + same->name + " hold the same run");
    }
  }
}

template <typename Number>
void add_to(std::optional<Number>& sum, const std::optional<Number>& more) {
  if (sum && more) {
    *sum += *more;
  }
}

void add_options(Options& sum, const Options& more) {
  LoadPlan& plan = sum.plan;
  plan.server = plan.server.is_known() ? plan.server : more.plan.server;
  plan.connections += more.plan.connections;
  plan.active += more.plan.active;
  plan.threads += more.plan.threads;
  add_to(plan.rate_per_s, more.plan.rate_per_s);
  for (std::size_t i = 0; i < plan.steps.rates_per_s.size(); ++i) {
    plan.steps.rates_per_s[i] += more.plan.steps.rates_per_s[i];
  }
  add_to(plan.messages, more.plan.messages);
  add_to(plan.connect_rate_per_s, more.plan.connect_rate_per_s);
  plan.sources.insert(plan.sources.end(), more.plan.sources.begin(), more.plan.sources.end());
  plan.start_at = plan.start_at == more.plan.start_at ? plan.start_at : std::nullopt;
  plan.server_pid = plan.server_pid ? plan.server_pid : more.plan.server_pid;
  sum.max_errors += more.max_errors;
}

void add_result(LoadResult& sum, const LoadResult& more) {
  if (sum.measured_from && more.measured_from) {
    const Moment end =
        std::max(*sum.measured_from + sum.measured, *more.measured_from + more.measured);
    sum.measured_from = std::min(*sum.measured_from, *more.measured_from);
    sum.measured = end - *sum.measured_from;
  } else if (more.measured_from) {
    sum.measured_from = more.measured_from;
    sum.measured = more.measured;
  }
  sum.has_begun = sum.has_begun || more.has_begun;
  sum.is_interrupted = sum.is_interrupted || more.is_interrupted;
  sum.connected += more.connected;
  sum.connecting = std::max(sum.connecting, more.connecting);
  sum.tally.add(more.tally);
  for (std::size_t i = 0; i < sum.steps.size(); ++i) {
    sum.steps[i].add(more.steps[i]);
  }
  sum.thread_shares.insert(sum.thread_shares.end(), more.thread_shares.begin(),
                           more.thread_shares.end());
  sum.client_cpu += more.client_cpu;
  sum.server = sum.server ? sum.server : more.server;
}

// Returns the time during which all parts measured.
nanoseconds common_time(const std::vector<RunPart>& parts) {
  Moment begin = Moment::min();
  Moment end = Moment::max();
  for (const RunPart& part : parts) {
    begin = std::max(begin, part.measured_from.value_or(Moment::max()));
    end = std::min(end, part.measured_from.value_or(Moment::min()) + part.measured);
  }
  return std::max(nanoseconds(0), end - std::min(begin, end));
}

}  // namespace

RunRecord merge(const std::vector<RunRecord>& records) {
  RunRecord sum = records.front();
  for (std::size_t i = 1; i < records.size(); ++i) {
    require_alike(sum, records[i]);
    add_options(sum.options, records[i].options);
    add_result(sum.result, records[i].result);
    sum.parts.insert(sum.parts.end(), records[i].parts.begin(), records[i].parts.end());
  }
  require_different_runs(sum.parts);
  return sum;
}

nanoseconds begin_skew(const std::vector<RunPart>& parts) {
  std::optional<Moment> first;
  std::optional<Moment> last;
  for (const RunPart& part : parts) {
    if (part.measured_from) {
      first = std::min(first.value_or(*part.measured_from), *part.measured_from);
      last = std::max(last.value_or(*part.measured_from), *part.measured_from);
    }
  }
  return first ? *last - *first : nanoseconds(0);
}

Verdict verdict_on_merged(const RunRecord& record) {
  constexpr int kNotableShare = 100;
  Verdict verdict = verdict_on(record.options, record.result);
  for (const RunPart& part : record.parts) {
    for (const std::string& failure : part.failures) {
      verdict.failures.push_back(part.name + ": " + failure);
    }
  }
  const nanoseconds common = common_time(record.parts);
  if ((record.result.measured - common) * kNotableShare > record.result.measured) {
    verdict.warnings.push_back(
        "all parts measured at the same time for only " + duration_text(common) + " of " +
        duration_text(record.result.measured) + "; rates are over " +
        duration_text(record.result.measured) + "; --start-at lets them begin together");
  }
  return verdict;
}

}  // namespace echod::client
