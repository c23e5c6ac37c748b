#include "client/echoctl/top_frame.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "client/echoctl/connection_table.hpp"
#include "client/echoctl/overview.hpp"
#include "client/text/figures.hpp"

namespace echod::ctl {

namespace {

using Align = Table::Align;
using Lines = std::vector<std::string>;

std::string closes_line(const TopFigures& figures) {
  std::string line = "closed       " + rate_text(figures, &Rates::closed) + " per second";
  if (figures.rates) {
    for (const auto& [reason, rate] : figures.rates->closed_by_reason) {
      line += (&rate == &figures.rates->closed_by_reason.front().second ? ": " : ", ") + reason +
              ' ' + client::short_number_text(rate);
    }
  }
  return line;
}

std::string datagrams_line(const TopFigures& figures) {
  return "datagrams/s  received " + rate_text(figures, &Rates::datagrams_received) + "   echoed " +
         rate_text(figures, &Rates::datagrams_echoed) + "   dropped " +
         rate_text(figures, &Rates::datagrams_dropped) + "   by the kernel " +
         rate_text(figures, &Rates::datagrams_dropped_by_kernel);
}

std::string delay_line(const TopFigures& figures) {
  const std::uint64_t samples = figures.rates ? figures.rates->delays.count() : 0;
  return "server delay p50 " + delay_text(figures, 0.5) + "  p99 " + delay_text(figures, 0.99) +
         "  (" + client::count_text(samples) + " samples)";
}

Lines head(const TopFigures& figures, const Style& style) {
  const Status& status = figures.status;
  Lines lines{state_line(status, style) + ", up " + age_text(status.now - status.started_at) +
              (status.upgrades.done == 0
                   ? ""
                   : ", upgraded " + age_text(status.now - status.program_started_at) + " ago")};
  const std::string silent = silent_workers_text(figures.busiest.silent_workers, kMissing);
  for (const std::string& problem : {figures.problem, silent}) {
    if (!problem.empty()) {
      lines.push_back(style.bad(problem));
    }
  }
  for (const std::string& complaint : complaints(status)) {
    lines.push_back(style.bad(complaint));
  }
  const std::string cpu =
      figures.rates ? client::number_text(client::kPercent * figures.rates->cpu_share, 0) + " %"
                    : "-";
  lines.push_back("connections  " + part_text(status.connections, status.max_connections) +
                  "   open files " + part_text(status.open_files, status.open_files_limit) +
                  "   CPU " + cpu);
  lines.push_back("buffers      " + size_text(status.buffered_bytes, Sizes::readable) + " of " +
                  size_text(status.buffer_bytes_limit, Sizes::readable) + "   memory " +
                  size_text(status.resident_bytes, Sizes::readable));
  lines.push_back("per second   accepted " + rate_text(figures, &Rates::accepted) + "   echoes " +
                  rate_text(figures, &Rates::echoes) + "   in " +
                  speed_text(figures, &Rates::bytes_received) + "   out " +
                  speed_text(figures, &Rates::bytes_sent));
  lines.push_back(closes_line(figures));
  if (!status.datagram_listeners.empty()) {
    lines.push_back(datagrams_line(figures));
  }
  lines.push_back(delay_line(figures));
  return lines;
}

Lines listeners(const TopFigures& figures) {
  Table table({{"LISTENER", Align::left},
               {"CONNECTIONS"},
               {"ACCEPTED/S"},
               {"WAITING"},
               {"BACKLOG"},
               {"DROPPED"},
               {"", Align::left}});
  for (std::size_t i = 0; i < figures.status.listeners.size(); ++i) {
    const Listener& listener = figures.status.listeners[i];
    table.add({listener.address, client::count_text(listener.connections),
               i < figures.accepted.size() ? client::short_number_text(figures.accepted[i]) : "-",
               known_count_text(listener.waiting), known_count_text(listener.queue_limit),
               known_count_text(listener.dropped), listener.is_open ? "" : "closed"});
  }
  return table.lines();
}

Lines workers(const TopFigures& figures) {
  Table table({{"WORKER"}, {"CONNECTIONS"}, {"SHARE"}, {"BUFFERS"}, {"", Align::left}});
  std::vector<Worker> sorted = figures.status.workers;
  // The stuck ones first, so that they are not cut off.
  std::stable_partition(sorted.begin(), sorted.end(),
                        [](const Worker& worker) { return worker.is_stuck; });
  for (const Worker& worker : sorted) {
    table.add({std::to_string(worker.number), client::count_text(worker.connections),
               share_text(worker.connections, figures.status.connections),
               size_text(worker.buffered_bytes, Sizes::readable), worker.is_stuck ? "stuck" : ""});
  }
  return table.lines();
}

Lines busiest(const TopFigures& figures) {
  const auto speed = [&](const Connection& connection) {
    const auto found = figures.speeds.find(connection.id);
    return found == figures.speeds.end() ? std::string("-") : speed_text(found->second);
  };
  return busiest_table(figures.busiest, speed).lines();
}

// Cuts the longest sections until all of them, each after an empty line, have at most `rows` lines.
void shorten(std::vector<Lines>& sections, std::size_t rows) {
  constexpr std::size_t kLeast = 3;  // A heading, a row, and how many are left out.
  std::vector<std::size_t> kept(sections.size());
  std::ranges::transform(sections, kept.begin(), [](const Lines& lines) { return lines.size(); });
  const auto needed = [&] { return std::accumulate(kept.begin(), kept.end(), kept.size()); };
  while (needed() > rows && *std::ranges::max_element(kept) > kLeast) {
    --*std::ranges::max_element(kept);
  }
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (kept[i] < sections[i].size()) {
      const std::size_t left_out = sections[i].size() - kept[i] + 1;
      sections[i].resize(kept[i] - 1);
      sections[i].push_back("... and " + std::to_string(left_out) + " more");
    }
  }
}

}  // namespace

std::vector<std::string> top_frame(const TopFigures& figures, const ScreenSize& size,
                                   const Style& style) {
  Lines frame = head(figures, style);
  std::vector<Lines> sections{listeners(figures)};
  if (!figures.status.datagram_listeners.empty()) {
    sections.push_back(datagram_listener_table(figures.status, Sizes::readable).lines());
  }
  sections.push_back(workers(figures));
  sections.push_back(busiest(figures));
  shorten(sections, size.rows > frame.size() ? size.rows - frame.size() : 0);
  for (Lines& lines : sections) {
    frame.emplace_back();
    lines.front() = style.bold(lines.front());
    frame.insert(frame.end(), lines.begin(), lines.end());
  }
  frame.resize(std::min(frame.size(), size.rows));
  for (std::string& line : frame) {
    line = cut(line, size.columns);
  }
  return frame;
}

}  // namespace echod::ctl
