#include "admin/status_page.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "admin/delay_estimate.hpp"
#include "admin/figures.hpp"
#include "admin/status_style.hpp"
#include "admin/status_tables.hpp"
#include "admin/time_chart.hpp"
#include "text/html_text.hpp"

namespace echod {

namespace {

using Sample = ConnectionHistory::Sample;

// The state in a word, and its CSS class.
std::pair<std::string_view, std::string_view> state_of(const Snapshot& snapshot) {
  if (!snapshot.unhealthy_because.empty()) {
    return {"unhealthy", "bad"};
  }
  if (snapshot.phase != Phase::serving) {
    return {name_of(snapshot.phase), "middling"};
  }
  return snapshot.not_ready_because.empty() ? std::pair("serving", "good")
                                            : std::pair("not ready", "bad");
}

std::string note(std::string_view style, std::string_view what, std::string_view text) {
  return text.empty() ? ""
                      : html_element("p", "class=\"note " + std::string(style) + '"',
                                     escaped_html(what) + ": " +
                                         html_element("span", "", escaped_html(text)));
}

// Why the last upgrade did not happen, unless that is also why the last reload was refused.
std::string unmentioned_upgrade_error(const ServiceFacts& service) {
  const std::string& error = service.upgrades.last_error;
  return service.reload_error.ends_with(error) ? "" : error;
}

std::string notes(const Snapshot& snapshot) {
  const ServiceFacts& service = snapshot.service;
  const bool is_full = snapshot.phase == Phase::serving && service.max_connections > 0 &&
                       open_connections(snapshot) >= service.max_connections;
  return note("bad", "Unhealthy", snapshot.unhealthy_because) +
         note(snapshot.phase == Phase::serving ? "bad" : "middling", "Not ready",
              snapshot.not_ready_because) +
         note("middling", "Full",
              is_full ? "new clients wait in the accept queue until a connection ends" : "") +
         note("middling", "The last reload was refused", service.reload_error) +
         note("middling", "The last upgrade did not happen", unmentioned_upgrade_error(service));
}

// Empty if there was none.
std::string upgrades_text(const ServiceFacts& service) {
  const UpgradeFigures& upgrades = service.upgrades;
  if (upgrades.done + upgrades.refused + upgrades.failed == 0) {
    return "";
  }
  std::string text =
      upgrades.done == 0
          ? "No upgrade was done"
          : "This program started at " + utc_text(service.program_started_at) + " after echod " +
                upgrades.earlier_version + "; " + count_text(upgrades.done) + " upgrade" +
                (upgrades.done == 1 ? "" : "s") + " in all, the last with a pause of " +
                delay_text(upgrades.last_pause_s) + " for " +
                count_text(upgrades.last_connections) + " connections";
  return text + "; " + count_text(upgrades.refused) + " refused, " + count_text(upgrades.failed) +
         " failed.";
}

std::string page_header(const Snapshot& snapshot) {
  const auto [word, style] = state_of(snapshot);
  const std::string upgrades = upgrades_text(snapshot.service);
  const std::string facts = "version " + snapshot.version + ", process " +
                            std::to_string(snapshot.pid) + ", up " +
                            age_text(snapshot.now - snapshot.service.process_started_at) +
                            " since " + utc_text(snapshot.service.process_started_at);
  return html_element("header", "",
                      html_element("div", "",
                                   html_element("h1", "", "echod") +
                                       html_element("p", "class=\"soft\"", escaped_html(facts)) +
                                       (upgrades.empty() ? ""
                                                         : html_element("p", "class=\"soft\"",
                                                                        escaped_html(upgrades)))) +
                          html_element("p", "class=\"state " + std::string(style) + '"', word)) +
         notes(snapshot);
}

// Tiles.

struct Tile {
  std::string_view name;
  std::string value;
  std::string of = {};                          // "of 1 000"
  std::optional<unsigned> filled_percent = {};  // A bar.
};

std::string tile_html(const Tile& tile) {
  constexpr unsigned kNearlyFull = 80;
  constexpr unsigned kFull = 95;
  std::string bar;
  if (tile.filled_percent) {
    const unsigned filled = *tile.filled_percent;
    const std::string style = filled >= kFull ? " bad" : filled >= kNearlyFull ? " middling" : "";
    bar = html_element("span", "class=\"bar" + style + R"(" aria-hidden="true")",
                       html_element("i", "style=\"width:" + std::to_string(filled) + "%\"", ""));
  }
  const std::string of = tile.of.empty() ? "" : ' ' + html_element("small", "", tile.of);
  return html_element(
      "div", "", html_element("dt", "", tile.name) + html_element("dd", "", tile.value + of + bar));
}

// The figures of the last 10 s: differences of two samples.
struct Latest {
  const Sample* from = nullptr;
  const Sample* to = nullptr;

  [[nodiscard]] bool is_known() const { return from != nullptr && to->time > from->time; }
  [[nodiscard]] double per_second(double growth) const {
    return std::max(0.0, growth) / (to->time - from->time);
  }
  [[nodiscard]] double per_second(std::uint64_t now, std::uint64_t before) const {
    return per_second(static_cast<double>(now - std::min(now, before)));
  }
  [[nodiscard]] double per_second(Counter counter) const {
    const auto index = static_cast<std::size_t>(counter);
    return per_second(to->counters[index], from->counters[index]);
  }
};

Latest latest(const ConnectionHistory& history) {
  constexpr double kSeconds = 10;
  if (history.size() < 2) {
    return {};
  }
  Latest found{.from = nullptr, .to = &history[history.size() - 1]};
  std::size_t i = history.size() - 1;
  while (i > 0 && found.to->time - history[i].time < kSeconds) {
    --i;
  }
  found.from = &history[i];
  return found;
}

std::uint64_t closed_total(const CounterValues& counters) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kCloseReasons; ++i) {
    sum += counters[static_cast<std::size_t>(counter_of(static_cast<CloseReason>(i)))];
  }
  return sum;
}

std::string rate_tiles(const ConnectionHistory& history) {
  constexpr double kPercent = 100;
  const Latest recent = latest(history);
  const auto rate = [&recent](double value) {
    return recent.is_known() ? figure_text(value) + "/s" : "-";
  };
  const auto bytes = [&recent](Counter counter) {
    return recent.is_known() ? throughput_text(recent.per_second(counter)) : "-";
  };
  if (!recent.is_known()) {
    return "";
  }
  return tile_html({.name = "accepted", .value = rate(recent.per_second(Counter::accepted))}) +
         tile_html({.name = "closed",
                    .value = rate(recent.per_second(closed_total(recent.to->counters),
                                                    closed_total(recent.from->counters)))}) +
         tile_html({.name = "echoes", .value = rate(recent.per_second(Counter::echoes))}) +
         tile_html({.name = "received", .value = bytes(Counter::bytes_received)}) +
         tile_html({.name = "sent", .value = bytes(Counter::bytes_sent)}) +
         tile_html({.name = "CPU",
                    .value = figure_text(kPercent *
                                         recent.per_second(recent.to->cpu_s - recent.from->cpu_s)) +
                             " %",
                    .of = "of one CPU"});
}

std::string delay_tiles(const Snapshot& snapshot, const ConnectionHistory& history) {
  const DelayHistogram::Values all = total_server_delay(snapshot);
  const DelayHistogram::Values recent =
      history.size() > 0 ? growth(all, history[0].server_delay) : all;
  std::string tiles;
  for (const auto& [name, quantile] :
       {std::pair("server delay p50", 0.5), std::pair("server delay p99", 0.99)}) {
    const std::optional<double> delay = estimated_delay_s(recent, quantile);
    tiles += tile_html({.name = name, .value = delay ? delay_text(*delay) : "-"});
  }
  return tiles;
}

std::string tiles(const Snapshot& snapshot, const ConnectionHistory& history) {
  const ServiceFacts& service = snapshot.service;
  const std::uint64_t connections = open_connections(snapshot);
  const std::uint64_t buffered = buffered_bytes(snapshot);
  const std::uint64_t files = snapshot.process.open_files;
  return html_element(
      "dl", "class=\"tiles\"",
      tile_html({.name = "connections",
                 .value = count_text(connections),
                 .of = "of " + count_text(service.max_connections),
                 .filled_percent = percent(connections, service.max_connections)}) +
          rate_tiles(history) + delay_tiles(snapshot, history) +
          tile_html({.name = "reply buffers",
                     .value = size_text(buffered),
                     .of = "of " + size_text(service.buffer_bytes_limit),
                     .filled_percent = percent(buffered, service.buffer_bytes_limit)}) +
          tile_html({.name = "open files",
                     .value = count_text(files),
                     .of = "of " + count_text(service.open_files_limit),
                     .filled_percent = percent(files, service.open_files_limit)}) +
          tile_html({.name = "memory", .value = size_text(snapshot.process.resident_bytes)}));
}

// Charts.

std::string connections_chart(const Snapshot& snapshot, const ConnectionHistory& history) {
  ChartLine line{.name = "open", .style = "open", .points = {}, .is_filled = true};
  for (std::size_t i = 0; i < history.size(); ++i) {
    line.points.push_back(
        {.time = history[i].time, .value = static_cast<double>(history[i].connections)});
  }
  if (!line.points.empty()) {
    line.points.push_back(
        {.time = snapshot.now, .value = static_cast<double>(open_connections(snapshot))});
  }
  return chart_html({.title = "Connections",
                     .end = snapshot.now,
                     .lines = {std::move(line)},
                     .limit = static_cast<double>(snapshot.service.max_connections),
                     .is_whole = true});
}

// The growth of a total in each interval, for one second.
template <typename TotalOf>
ChartLine rate_line(std::string name, std::string style, const ConnectionHistory& history,
                    TotalOf total_of) {
  ChartLine line{.name = std::move(name), .style = std::move(style), .points = {}};
  for (std::size_t i = 1; i < history.size(); ++i) {
    const Latest interval{.from = &history[i - 1], .to = &history[i]};
    line.points.push_back(
        {.time = history[i].time,
         .value = interval.per_second(total_of(*interval.to), total_of(*interval.from))});
  }
  return line;
}

std::string rates_chart(const Snapshot& snapshot, const ConnectionHistory& history) {
  return chart_html(
      {.title = "Accepted and closed per second",
       .end = snapshot.now,
       .lines = {rate_line("accepted", "accepted", history,
                           [](const Sample& sample) {
                             return sample.counters[static_cast<std::size_t>(Counter::accepted)];
                           }),
                 rate_line("closed", "closed", history,
                           [](const Sample& sample) { return closed_total(sample.counters); })}});
}

// The frame.

std::string footer(const Snapshot& snapshot, bool is_refreshed) {
  const auto link = [](std::string_view href, std::string_view text) {
    return html_element("a", "href=\"" + std::string(href) + '"', text);
  };
  return html_element("footer", "",
                      utc_text(snapshot.now) +
                          (is_refreshed ? ", refreshed every 5 s" + link("?refresh=never", "Pause")
                                        : ", not refreshed" + link("./", "Refresh every 5 s")) +
                          link("metrics", "Metrics") + link("status", "JSON") +
                          link("healthz", "Health") + link("readyz", "Readiness"));
}

std::string head(const Snapshot& snapshot, bool is_refreshed) {
  const std::string title = "echod: " + std::string(state_of(snapshot).first) + ", " +
                            count_text(open_connections(snapshot)) + " connections";
  return html_element(
      "head", "",
      std::string("<meta charset=\"utf-8\"/>\n"
                  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                  "<meta name=\"robots\" content=\"noindex\"/>\n") +
          (is_refreshed ? "<meta http-equiv=\"refresh\" content=\"5\"/>\n" : "") +
          html_element("title", "", escaped_html(title)) + html_element("style", "", kStatusStyle));
}

}  // namespace

std::string status_page(const Snapshot& snapshot, const ConnectionHistory& history,
                        PageRefresh refresh) {
  const bool is_refreshed = refresh == PageRefresh::every_5_s;
  const std::string sections =
      html_element("section", "", connections_chart(snapshot, history)) +
      html_element("section", "", rates_chart(snapshot, history)) + listeners_html(snapshot) +
      workers_html(snapshot) +
      html_element("div", "class=\"stack\"",
                   server_delay_html(snapshot, history) + refusals_html(snapshot, history)) +
      html_element("div", "class=\"stack\"",
                   closes_html(snapshot, history) + work_html(snapshot, history)) +
      log_html(snapshot.log) + config_html(snapshot.service, !is_refreshed);
  return "<!DOCTYPE html>\n" +
         html_element("html", "lang=\"en\"",
                      '\n' + head(snapshot, is_refreshed) +
                          html_element("body", "",
                                       page_header(snapshot) + tiles(snapshot, history) +
                                           html_element("main", "", sections) +
                                           footer(snapshot, is_refreshed)));
}

}  // namespace echod
