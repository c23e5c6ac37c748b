#include "client/echoctl/overview.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

#include "client/echoctl/rates.hpp"
#include "client/text/figures.hpp"

namespace echod::ctl {

namespace {

using Align = Table::Align;
using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

constexpr std::size_t kColumns = 80;

std::string headed(const std::vector<std::string>& lines, const Style& style) {
  std::string text = '\n' + style.bold(lines.front()) + '\n';
  for (std::size_t i = 1; i < lines.size(); ++i) {
    text += lines[i] + '\n';
  }
  return text;
}

// Figures in two columns: those on the left are about now, those on the right since the start.
std::string figures(const Status& status, Sizes sizes) {
  constexpr std::size_t kName = 14;
  constexpr std::size_t kLeft = 26;
  const auto count = [&](std::string_view name) {
    return client::count_text(status.counter(name));
  };
  const auto size = [&](std::string_view name) { return size_text(status.counter(name), sizes); };
  const double cpu_s = status.cpu_user_s + status.cpu_system_s;
  const std::array<std::array<std::string, 4>, 5> rows{{
      {"connections", part_text(status.connections, status.max_connections), "accepted",
       count("accepted")},
      {"open files", part_text(status.open_files, status.open_files_limit), "echoes",
       count("echoes")},
      {"buffers",
       size_text(status.buffered_bytes, sizes) + " of " +
           size_text(status.buffer_bytes_limit, sizes),
       "received", size("bytes_received")},
      {"memory", size_text(status.resident_bytes, sizes), "sent", size("bytes_sent")},
      {"log levels", status.log.file_level + ", stderr " + status.log.stderr_level, "CPU time",
       age_text(cpu_s)},
  }};
  std::string text;
  for (const auto& [left, left_value, right, right_value] : rows) {
    std::string line = "  " + left;
    line.resize(2 + kName, ' ');
    line += left_value;
    line.resize(std::max(line.size() + 1, 2 + kName + kLeft), ' ');
    line += right;
    line.resize(std::max(line.size() + 1, 2 + kName + kLeft + kName), ' ');
    text += line + right_value + '\n';
  }
  return text;
}

// The time of an upgrade in place, if there was one.
std::string upgrade_line(const Status& status) {
  constexpr double kNanosecondsPerSecond = 1e9;
  const UpgradeState& upgrades = status.upgrades;
  if (upgrades.done == 0) {
    return "";
  }
  const std::chrono::nanoseconds pause(std::llround(upgrades.last_pause_s * kNanosecondsPerSecond));
  return "program started " + local_time_text(status.program_started_at) + ", " +
         age_text(status.now - status.program_started_at) + " ago (upgrade " +
         client::count_text(upgrades.done) + ", pause " + client::duration_text(pause) + ")\n";
}

std::string delay_line(const Status& status) {
  const std::uint64_t count = status.server_delay.count();
  std::string line = "  server delay  ";
  if (count == 0) {
    return line + "not measured yet\n";
  }
  line += "p50 " + quantile_text(status.server_delay, 0.5) + ", p99 " +
          quantile_text(status.server_delay, 0.99) + " (" + client::count_text(count) +
          (count == 1 ? " sample" : " samples");
  return line + " since the start)\n";
}

std::string config_line(const Status& status) {
  return "  config        " + status.config.name + ", loaded " +
         local_time_text(status.config.loaded_at) + '\n';
}

Table listener_table(const Status& status) {
  Table table({{"LISTENER", Align::left},
               {"CONNECTIONS"},
               {"ACCEPTED"},
               {"WAITING"},
               {"BACKLOG"},
               {"DROPPED"},
               {"", Align::left}});
  for (const Listener& listener : status.listeners) {
    table.add({listener.address, client::count_text(listener.connections),
               client::count_text(listener.accepted), known_count_text(listener.waiting),
               known_count_text(listener.queue_limit), known_count_text(listener.dropped),
               listener.is_open ? "" : "closed"});
  }
  return table;
}

// Up to 16 workers have a row each. With more, only stuck workers have a row, and one line shows
// how evenly the connections are spread.
std::string workers_text(const Status& status, Sizes sizes, const Style& style) {
  constexpr std::size_t kMostRows = 16;
  const bool has_all = status.workers.size() <= kMostRows;
  Table table({{"WORKER"}, {"CONNECTIONS"}, {"SHARE"}, {"BUFFERS"}, {"TURNS"}, {"", Align::left}});
  std::uint64_t fewest = UINT64_MAX;
  std::uint64_t most = 0;
  for (const Worker& worker : status.workers) {
    fewest = std::min(fewest, worker.connections);
    most = std::max(most, worker.connections);
    if (has_all || worker.is_stuck) {
      table.add({std::to_string(worker.number), client::count_text(worker.connections),
                 share_text(worker.connections, status.connections),
                 size_text(worker.buffered_bytes, sizes), client::count_text(worker.turns),
                 worker.is_stuck ? "stuck" : ""});
    }
  }
  std::string text = table.rows() > 0 ? headed(table.lines(), style) : "\n";
  if (!has_all) {
    text += std::to_string(status.workers.size()) + " workers have " + client::count_text(fewest) +
            " to " + client::count_text(most) + " connections each\n";
  }
  return text;
}

// "peer_closed 80, reset 8", largest first, on as many lines as needed.
std::string list_text(const std::string& heading, Counts counts, const Style& style) {
  std::erase_if(counts, [](const auto& one) { return one.second == 0; });
  if (counts.empty()) {
    return "";
  }
  std::ranges::stable_sort(
      counts, [](const auto& one, const auto& other) { return one.second > other.second; });
  std::vector<std::string> lines{heading, " "};
  for (const auto& [name, value] : counts) {
    const bool is_last = &name == &counts.back().first;
    const std::string item = ' ' + name + ' ' + client::count_text(value) + (is_last ? "" : ",");
    if (lines.back().size() + item.size() > kColumns) {
      lines.emplace_back(" ");
    }
    lines.back() += item;
  }
  return headed(lines, style);
}

Counts datagrams(const Status& status) {
  constexpr std::string_view kPrefix = "datagram";
  Counts counts;
  for (const auto& [name, value] : status.counters) {
    if (name.starts_with(kPrefix)) {
      counts.emplace_back(name, value);
    }
  }
  return counts;
}

Counts closes(const Status& status) {
  Counts counts;
  for (const auto& [name, value] : status.counters) {
    if (name.starts_with(kClosedPrefix)) {
      counts.emplace_back(name.substr(kClosedPrefix.size()), value);
    }
  }
  return counts;
}

// The counters of events that should not happen, or that mean that a limit was reached. The log and
// echod(8) use the same names.
Counts limits_and_refusals(const Status& status) {
  constexpr std::array<const char*, 6> kNames{"paused_full",      "paused_resources",
                                              "accept_errors",    "register_failures",
                                              "unbuffered_reads", "connection_lines_suppressed"};
  Counts counts;
  for (const char* const name : kNames) {
    counts.emplace_back(name, status.counter(name));
  }
  std::uint64_t dropped = 0;
  for (const Listener& listener : status.listeners) {
    dropped += listener.dropped.value_or(0);
  }
  counts.emplace_back("dropped from accept queues", dropped);
  counts.emplace_back("worker_stalls", status.worker_stalls);
  counts.emplace_back("log lines dropped", status.log.lines_dropped);
  counts.emplace_back("log write failures", status.log.write_failures);
  counts.emplace_back("reloads refused", status.config.reloads_refused);
  counts.emplace_back("upgrades refused", status.upgrades.refused);
  counts.emplace_back("upgrades failed", status.upgrades.failed);
  return counts;
}

std::string trouble_text(const Status& status, const Style& style) {
  if (status.log.trouble.empty()) {
    return "";
  }
  std::string text = '\n' + style.bold("LAST WARNINGS AND ERRORS IN THE LOG") + '\n';
  for (const std::string& line : status.log.trouble) {
    text += "  " + line + '\n';
  }
  return text;
}

}  // namespace

std::string size_text(std::uint64_t bytes, Sizes sizes) {
  if (sizes == Sizes::exact) {
    return std::to_string(bytes);
  }
  return bytes < client::kKib ? std::to_string(bytes) + " B" : client::size_text(bytes);
}

std::string part_text(std::uint64_t part, std::uint64_t whole) {
  return client::count_text(part) + " of " + client::count_text(whole);
}

std::string share_text(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) {
    return "-";
  }
  return client::number_text(
             client::kPercent * static_cast<double>(part) / static_cast<double>(whole), 0) +
         " %";
}

Table datagram_listener_table(const Status& status, Sizes sizes) {
  Table table({{"UDP LISTENER", Align::left}, {"QUEUED"}, {"DROPPED"}, {"", Align::left}});
  for (const DatagramListener& listener : status.datagram_listeners) {
    table.add({listener.address, size_text(listener.queued_bytes, sizes),
               client::count_text(listener.dropped), listener.is_open ? "" : "closed"});
  }
  return table;
}

std::string state_line(const Status& status, const Style& style) {
  const bool is_healthy = status.unhealthy_because.empty();
  const bool is_ready = status.not_ready_because.empty();
  return style.bold("echod " + status.version) + " is " + status.phase + ", " +
         (is_healthy ? style.good("healthy") : style.bad("not healthy")) + " and " +
         (is_ready ? style.good("ready") : style.bad("not ready"));
}

std::vector<std::string> complaints(const Status& status) {
  std::vector<std::string> lines;
  const auto add = [&](const char* what, const std::string& why) {
    if (!why.empty()) {
      lines.push_back(what + why);
    }
  };
  add("not healthy: ", status.unhealthy_because);
  add("not ready: ", status.not_ready_because);
  add("the last reload was refused: ", status.config.reload_error);
  // A refused upgrade is a refused reload too.
  if (!status.config.reload_error.ends_with(status.upgrades.last_error)) {
    add("the last upgrade did not happen: ", status.upgrades.last_error);
  }
  return lines;
}

std::string overview(const Status& status, Sizes sizes, const Style& style) {
  std::string text = state_line(status, style) + "\nPID " + std::to_string(status.pid) +
                     ", started " + local_time_text(status.started_at) + ", " +
                     age_text(status.now - status.started_at) + " ago\n" + upgrade_line(status);
  for (const std::string& line : complaints(status)) {
    text += style.bad(line) + '\n';
  }
  text += '\n' + figures(status, sizes) + delay_line(status) + config_line(status);
  text += headed(listener_table(status).lines(), style);
  if (!status.datagram_listeners.empty()) {
    text += headed(datagram_listener_table(status, sizes).lines(), style);
  }
  text += workers_text(status, sizes, style);
  text += list_text("DATAGRAMS", datagrams(status), style);
  text += list_text("CLOSED CONNECTIONS", closes(status), style);
  text += list_text("LIMITS AND REFUSALS", limits_and_refusals(status), style);
  return text + trouble_text(status, style);
}

}  // namespace echod::ctl
