#include "client/report/summary.hpp"

#include <algorithm>
#include <cmath>

#include "client/report/run_lines.hpp"
#include "client/text/figures.hpp"

namespace echod::client {

namespace {

std::string line(const std::string& name, const std::string& text) {
  constexpr std::size_t kColumn = 15;
  std::string start = "  " + name;
  start.resize(kColumn, ' ');
  return start + text + '\n';
}

std::string percentiles_text(const Histogram& histogram) {
  std::string text;
  for (const auto& [name, percent] : kReportedPercentiles) {
    if (const auto value = histogram.known_percentile(percent)) {
      text += text.empty() ? "" : "   ";
      text += std::string(name) + ' ' + duration_text(*value);
    }
  }
  return text;
}

std::string measured_text(const Options& options, const LoadResult& result) {
  std::string text = number_text(seconds(result.measured), 2) + " s";
  if (result.is_interrupted) {
    text += " of " + number_text(seconds(options.plan.duration), 2) + " s: interrupted";
  }
  return text;
}

std::string echoes_line(const Options& options, const LoadResult& result) {
  const bool is_connect = options.plan.mode == LoadMode::connect;
  std::string text =
      count_text(result.tally.echoes) + ", " + short_number_text(rate_of(result)) + " per second";
  if (options.plan.rate_per_s && result.steps.empty()) {
    text += " of " + short_number_text(*options.plan.rate_per_s) + " asked for";
  }
  return line(is_connect ? "cycles" : "echoes", text);
}

std::string bytes_line(const LoadResult& result) {
  const Tally& tally = result.tally;
  return line("bytes", size_text(tally.bytes_sent) + " sent, " +
                           number_text(per_second(tally.bytes_sent, result) / kMega, 1) +
                           " MB/s; " + size_text(tally.bytes_received) + " received, " +
                           number_text(per_second(tally.bytes_received, result) / kMega, 1) +
                           " MB/s");
}

// "3 (0.012 %)".
std::string loss_text(const DatagramCounts& counts) {
  constexpr int kDecimals = 3;
  return count_text(counts.lost) + " lost (" + number_text(counts.loss_percent(), kDecimals) +
         " %)";
}

std::string datagrams_line(const Options& options, const DatagramCounts& counts) {
  if (!options.plan.server.is_udp()) {
    return "";
  }
  return line("datagrams", count_text(counts.sent) + " sent, " + loss_text(counts) + ", " +
                               count_text(counts.late) + " late, " + count_text(counts.duplicated) +
                               " duplicated, " + count_text(counts.reordered) + " reordered");
}

std::string errors_lines(const Tally& tally) {
  if (tally.errors_in_all() == 0) {
    return line("errors", "none");
  }
  std::string kinds;
  for (std::size_t i = 0; i < kLoadErrors; ++i) {
    if (tally.errors[i] > 0) {
      kinds += (kinds.empty() ? "" : ", ") + std::string(name_of(static_cast<LoadError>(i))) + ' ' +
               count_text(tally.errors[i]);
    }
  }
  std::string text = line("errors", kinds);
  for (const std::string& detail : tally.detail_lines()) {
    text += line("", detail);
  }
  if (tally.errors_in_all() > tally.details.size()) {
    text +=
        line("", "... and " + count_text(tally.errors_in_all() - tally.details.size()) + " more");
  }
  return text;
}

// The kernel counts CPU time in steps of some milliseconds.
constexpr std::chrono::milliseconds kLongEnoughForShares{100};

// CPU time in percent of the window.
double share_of(std::chrono::nanoseconds cpu, const LoadResult& result) {
  return seconds(result.measured) > 0 ? seconds(cpu) / seconds(result.measured) * kPercent : 0;
}

std::string client_line(const LoadResult& result) {
  std::string text = plural(result.thread_shares.size(), "thread");
  if (result.measured >= kLongEnoughForShares) {
    text += ", " + number_text(share_of(result.client_cpu, result), 0) +
            " % of a CPU, the busiest thread " + number_text(busiest_share(result) * kPercent, 0) +
            " % of its time";
  }
  return line("client", text);
}

std::string server_line(const Options& options, const LoadResult& result) {
  if (!result.server && !options.plan.server_pid) {
    return "";
  }
  if (!result.server && result.measured == std::chrono::nanoseconds(0)) {
    return "";  // Its use is read at the begin and the end of the window, which never began.
  }
  if (!result.server) {
    return line("server", "process " + std::to_string(*options.plan.server_pid) +
                              " did not exist all the time");
  }
  const sys::ServerUsage& server = *result.server;
  std::string text = number_text(seconds(server.user), 2) + " s user, " +
                     number_text(seconds(server.system), 2) + " s system";
  if (result.measured >= kLongEnoughForShares) {
    text += " (" + number_text(share_of(server.user + server.system, result), 0) + " % of a CPU)";
  }
  if (const auto cost = cpu_us_per_echo(result)) {
    text += ", " + number_text(*cost, 2) + " us per echo";
  }
  return line("server", text) +
         line("", size_text(server.resident_bytes) + " resident, " +
                      count_text(server.voluntary_switches) + " voluntary and " +
                      count_text(server.involuntary_switches) + " involuntary context switches");
}

std::string limits_line(const Options& options, const Environment& environment) {
  std::string text = count_text(environment.open_files) + " open files";
  if (environment.local_ports && !options.plan.server.is_local()) {
    const auto& [first, last] = *environment.local_ports;
    text += ", local ports " + std::to_string(first) + " to " + std::to_string(last) + " (" +
            count_text(last - first + 1) + " for each source address)";
  }
  return line("limits", text);
}

std::string latency_lines(const Options& options, const LoadResult& result) {
  const Tally& tally = result.tally;
  std::string text;
  if (options.plan.mode != LoadMode::stream) {
    const std::string percentiles = percentiles_text(tally.latency);
    text += line("latency", percentiles.empty() ? "nothing was measured" : percentiles);
  }
  for (const auto& [name, histogram] :
       {std::pair("connect", &tally.connect), std::pair("first byte", &tally.first_byte)}) {
    if (histogram->count() > 0) {
      text += line(name, percentiles_text(*histogram));
    }
  }
  if (options.plan.rate_per_s && tally.send_lag.count() > 0) {
    text += line("send lag", percentiles_text(tally.send_lag));
  }
  if (tally.receive_lag.count() > 0) {
    text += line("receive lag", percentiles_text(tally.receive_lag));
  }
  if (tally.not_sent > 0) {
    text += line("not sent", plural(tally.not_sent, "message") +
                                 " due; in the latency as the timeout, or longer");
  }
  return text;
}

std::string cell(const std::string& text) {
  constexpr std::size_t kLabelWidth = 10;
  return std::string(kLabelWidth - std::min(kLabelWidth, text.size()), ' ') + text;
}

std::string knee_text(const Options& options, const LoadResult& result) {
  const std::vector<double>& rates = options.plan.steps.rates_per_s;
  const std::size_t over = first_over_the_knee(result);
  if (over == rates.size()) {
    return "above " + short_number_text(rates.back()) + "/s: every step kept up";
  }
  if (over == 0) {
    return "below " + short_number_text(rates.front()) + "/s: no step kept up";
  }
  return short_number_text(rates[over - 1]) + "/s: the step of " + short_number_text(rates[over]) +
         "/s did not keep up";
}

// Latency by rate, and the knee.
std::string steps_lines(const Options& options, const LoadResult& result) {
  if (result.steps.empty()) {
    return "";
  }
  std::string head = cell("rate/s") + cell("echoes/s");
  for (const auto& [name, percent] : kReportedPercentiles) {
    head += cell(name);
  }
  std::string text = line("steps", head);
  for (std::size_t i = 0; i < result.steps.size(); ++i) {
    const StepTally& step = result.steps[i];
    const double time = seconds(time_of_step(i, options, result));
    const double rate = time > 0 ? static_cast<double>(step.echoes) / time : 0;
    std::string row =
        cell(short_number_text(options.plan.steps.rates_per_s[i])) + cell(short_number_text(rate));
    for (const auto& [name, percent] : kReportedPercentiles) {
      const auto value = step.latency.known_percentile(percent);
      row += cell(value && step.latency.count() > 0 ? duration_text(*value) : "-");
    }
    text += line("", row);
  }
  return text + line("knee", knee_text(options, result));
}

std::string tcp_line(const Tally& tally) {
  if (tally.round_trip.count() == 0 && tally.retransmissions == 0) {
    return "";
  }
  return line("tcp", plural(tally.retransmissions, "retransmission") + "; round trip " +
                         percentiles_text(tally.round_trip));
}

// How many connections were lost and how many recovered.
std::string outage_lines(const Tally& tally) {
  if (tally.lost == 0) {
    return "";
  }
  std::string text =
      plural(tally.lost, "connection") + ", " + count_text(tally.outage.count()) + " of them back";
  if (tally.outage.count() > 0) {
    text += " after " + percentiles_text(tally.outage);
  }
  text = line("lost", text);
  if (tally.due_while_lost > 0) {
    text += line("", plural(tally.due_while_lost, "message") + " due without a connection");
  }
  return text;
}

// When each part of a merged run began, how long it measured, and its figures.
std::string parts_lines(const std::vector<RunPart>& parts, const LoadResult& result) {
  std::string text;
  for (const RunPart& part : parts) {
    std::string begin = "never began, ";
    if (part.measured_from && result.measured_from) {
      begin = "began " + duration_text(*part.measured_from - *result.measured_from) +
              " after the first, ";
    }
    text += line(text.empty() ? "parts" : "",
                 part.name + " of " + part.environment.host + ": " + begin +
                     number_text(seconds(part.measured), 2) + " s, " + count_text(part.echoes) +
                     " echoes, the busiest thread " +
                     number_text(part.busiest_share * kPercent, 0) + " % of its time");
  }
  return text;
}

// The losses and errors of a run that passed: "; 3 lost (0.012 %)".
std::string exceptions_text(const Tally& tally) {
  const DatagramCounts& counts = tally.datagrams;
  std::string text = counts.lost > 0 ? "; " + loss_text(counts) : "";
  text += counts.duplicated > 0 ? "; " + count_text(counts.duplicated) + " duplicated" : "";
  if (const std::uint64_t errors = tally.errors_in_all(); errors > 0) {
    text += "; errors: " + count_text(errors);
  }
  return text;
}

std::string passed_line(const Options& options, const LoadResult& result, const Verdict& verdict) {
  if (!verdict.has_passed()) {
    return "";
  }
  if (result.is_interrupted) {
    return "interrupted: every byte that came back is right\n";
  }
  if (const std::string but = exceptions_text(result.tally); !but.empty()) {
    const std::string what = options.plan.server.is_udp() ? "datagrams" : "bytes";
    return "passed: all " + what + " that came back are right" + but + '\n';
  }
  return options.plan.active > 0 ? "passed: every byte came back as it was sent\n"
                                 : "passed: every connection stayed open\n";
}

}  // namespace

std::string summary(const Options& options, const LoadResult& result,
                    const Environment& environment, const Verdict& verdict,
                    const std::vector<RunPart>& parts) {
  const LoadPlan& plan = options.plan;
  std::string text = "echoload " + environment.version + ": ";
  if (!parts.empty()) {
    text += "merged from " + plural(parts.size(), "run") + ": ";
  }
  text += settings_line(options) + "\n\n" + parts_lines(parts, result) +
          line("measured", measured_text(options, result));
  if (plan.mode != LoadMode::connect) {
    text += line(plan.server.is_udp() ? "sockets" : "connections",
                 count_text(result.connected) + " of " + count_text(plan.connections));
  }
  text += echoes_line(options, result) + bytes_line(result) + latency_lines(options, result) +
          steps_lines(options, result) + tcp_line(result.tally) +
          datagrams_line(options, result.tally.datagrams) + errors_lines(result.tally) +
          outage_lines(result.tally) + client_line(result) + server_line(options, result);
  if (parts.empty()) {
    text += limits_line(options, environment);
  }
  text += '\n';
  for (const std::string& warning : verdict.warnings) {
    text += "warning: " + warning + '\n';
  }
  for (const std::string& failure : verdict.failures) {
    text += "failed: " + failure + '\n';
  }
  return text + passed_line(options, result, verdict);
}

}  // namespace echod::client
