#include "admin/status_tables.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/counter_descriptions.hpp"
#include "admin/delay_estimate.hpp"
#include "admin/figures.hpp"
#include "text/html_text.hpp"

namespace echod {

namespace {

constexpr auto kRefusals =
    std::to_array<Counter>({Counter::paused_full, Counter::paused_resources, Counter::accept_errors,
                            Counter::register_failures});

std::string cell(std::string_view html) {
  return html_element("td", "", html);
}

std::string row_heading(std::string_view html) {
  return html_element("th", "scope=\"row\"", html);
}

std::string row(std::string_view attributes, std::string_view cells) {
  return html_element("tr", attributes, cells);
}

std::string table_html(std::string_view attributes, std::string_view caption,
                       const std::vector<std::string>& headings, std::string_view rows) {
  std::string cells;
  for (const std::string& heading : headings) {
    cells += html_element("th", "scope=\"col\"", escaped_html(heading));
  }
  return html_element("table", attributes,
                      html_element("caption", "", caption) +
                          html_element("thead", "", html_element("tr", "", cells)) +
                          html_element("tbody", "", rows));
}

std::string heading(std::string_view text) {
  return html_element("h2", "", escaped_html(text));
}

std::string section(std::string_view attributes, std::string_view html) {
  return html_element("section", attributes, html);
}

std::string soft(std::string_view html) {
  return html_element("p", "class=\"soft\"", html);
}

std::string bar(unsigned width_percent, std::string_view style = "bar") {
  return html_element(
      "span", "class=\"" + std::string(style) + R"(" aria-hidden="true")",
      html_element("i", "style=\"width:" + std::to_string(width_percent) + "%\"", ""));
}

// Listeners.

std::string queue_cell(const ListenerSnapshot& listener) {
  constexpr unsigned kNearlyFull = 80;
  if (!listener.is_open || !listener.has_queue) {
    return cell("-");
  }
  const unsigned filled = percent(listener.waiting, listener.queue_limit);
  return cell(count_text(listener.waiting) + " of " + count_text(listener.queue_limit) +
              bar(filled, filled >= kNearlyFull ? "bar bad" : "bar"));
}

std::string listener_row(const Snapshot& snapshot, std::size_t number) {
  const ListenerSnapshot& listener = snapshot.listeners[number];
  const std::string note =
      listener.is_open ? "" : html_element("span", "class=\"soft\"", " (closed)");
  return row("",
             row_heading(escaped_html(listener.address) + note) +
                 cell(count_text(connections_of_listener(snapshot, number))) +
                 cell(total_text(listener.accepted)) + queue_cell(listener) +
                 cell(listener.is_open && listener.has_queue ? total_text(listener.dropped) : "-"));
}

std::string datagram_listener_row(const DatagramListenerSnapshot& listener) {
  const std::string note =
      listener.is_open ? "" : html_element("span", "class=\"soft\"", " (closed)");
  return row("", row_heading(escaped_html(listener.address) + note) + cell("-") + cell("-") +
                     cell(listener.is_open ? size_text(listener.queued_bytes) : "-") +
                     cell(total_text(listener.dropped)));
}

// Workers.

std::string worker_row(const Snapshot& snapshot, std::size_t number, std::uint64_t most) {
  const WorkerSnapshot& worker = snapshot.workers[number];
  const std::uint64_t connections = open_connections(worker);
  const std::string note = worker.is_stuck ? html_element("b", "class=\"bad\"", " stuck") : "";
  return row("", row_heading(std::to_string(number) + note) +
                     cell(count_text(connections) + bar(percent(connections, most))) +
                     cell(total_text(worker.turns)) + cell(size_text(worker.buffered_bytes)));
}

// Counters.

const ConnectionHistory::Sample* oldest(const ConnectionHistory& history) noexcept {
  return history.size() > 0 ? &history[0] : nullptr;
}

std::string recent_heading(const Snapshot& snapshot, const ConnectionHistory& history) {
  const ConnectionHistory::Sample* const sample = oldest(history);
  return sample == nullptr ? "recently" : "last " + age_text(snapshot.now - sample->time);
}

bool is_in_bytes(Counter counter) noexcept {
  return counter == Counter::bytes_received || counter == Counter::bytes_sent ||
         counter == Counter::bytes_discarded || counter == Counter::bytes_spliced ||
         counter == Counter::datagram_bytes_received || counter == Counter::datagram_bytes_sent;
}

struct CounterLine {
  std::string_view name;
  std::string_view meaning;
  std::uint64_t now;
  std::uint64_t before;  // In the oldest sample of the history.
  bool is_in_bytes = false;
};

CounterLine counter_line(Counter counter, const CounterValues& now,
                         const ConnectionHistory& history) {
  const auto index = static_cast<std::size_t>(counter);
  const ConnectionHistory::Sample* const sample = oldest(history);
  return {.name = name_of(counter),
          .meaning = description_of(counter).meaning,
          .now = now[index],
          .before = sample == nullptr ? 0 : sample->counters[index],
          .is_in_bytes = is_in_bytes(counter)};
}

// With spaces instead of underscores, so that it breaks between words.
std::string words_of(std::string_view name) {
  std::string words(name);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

// A row for each counter that is not 0; the names of the others in one paragraph.
std::string counters_html(std::string_view caption, std::string_view first_heading,
                          const Snapshot& snapshot, const ConnectionHistory& history,
                          const std::vector<CounterLine>& lines) {
  std::string rows;
  std::string zeros;
  for (const CounterLine& line : lines) {
    const std::string name = escaped_html(words_of(line.name));
    if (line.now == 0) {
      zeros += (zeros.empty() ? "" : ", ") + name;
      continue;
    }
    const auto text = line.is_in_bytes ? size_text : total_text;
    const std::uint64_t recent = line.now - std::min(line.now, line.before);
    rows += row("", row_heading(name + html_element("small", "", escaped_html(line.meaning))) +
                        cell(history.size() > 0 ? text(recent) : "-") + cell(text(line.now)));
  }
  const std::string title = heading(caption);
  return section(
      "", (rows.empty() ? title
                        : table_html("class=\"counters\"", title,
                                     {std::string(first_heading), recent_heading(snapshot, history),
                                      "since the start"},
                                     rows)) +
              (zeros.empty() ? "" : soft("Still 0: " + zeros + '.')));
}

// Server delay.

std::string estimate(const DelayHistogram::Values& values, double quantile) {
  const std::optional<double> delay = estimated_delay_s(values, quantile);
  return delay ? delay_text(*delay) : "-";
}

std::string range_name(std::size_t range) {
  constexpr std::size_t kLast = DelayHistogram::kBounds.size() - 1;
  const auto bound = DelayHistogram::kBounds[std::min(range, kLast)];
  return (range <= kLast ? "up to " : "over ") +
         delay_text(std::chrono::duration<double>(bound).count());
}

// The ranges from the first to the last that is not empty.
std::pair<std::size_t, std::size_t> shown_ranges(const DelayHistogram::Values& values) {
  const auto is_filled = [](std::uint64_t count) { return count > 0; };
  const auto* const first = std::find_if(values.counts.begin(), values.counts.end(), is_filled);
  const auto last = std::find_if(values.counts.rbegin(), values.counts.rend(), is_filled);
  return {static_cast<std::size_t>(first - values.counts.begin()),
          static_cast<std::size_t>(values.counts.rend() - last)};
}

std::string delay_table(const Snapshot& snapshot, const ConnectionHistory& history,
                        const DelayHistogram::Values& all, const DelayHistogram::Values& recent) {
  const std::uint64_t most = *std::max_element(recent.counts.begin(), recent.counts.end());
  const std::uint64_t most_ever = *std::max_element(all.counts.begin(), all.counts.end());
  const auto [first, end] = shown_ranges(all);
  std::string rows;
  for (std::size_t i = first; i < end; ++i) {
    rows += row("", row_heading(range_name(i)) +
                        cell(total_text(recent.counts[i]) + bar(percent(recent.counts[i], most))) +
                        cell(total_text(all.counts[i]) + bar(percent(all.counts[i], most_ever))));
  }
  for (const auto& [name, quantile] : {std::pair("p50", 0.5), std::pair("p99", 0.99)}) {
    rows +=
        row("class=\"sum\"", row_heading(std::string(name) + ", estimated") +
                                 cell(estimate(recent, quantile)) + cell(estimate(all, quantile)));
  }
  return table_html("class=\"ranges\"", heading("Server delay"),
                    {"delay", recent_heading(snapshot, history), "since the start"}, rows);
}

// Log.

std::string_view style_of_log_line(std::string_view line) {
  const bool is_error = line.find(" - ERROR - ") != std::string_view::npos ||
                        line.find(" - CRITICAL - ") != std::string_view::npos;
  return is_error ? "class=\"bad\"" : "class=\"middling\"";
}

std::string fact(std::string_view name, std::string_view value) {
  return html_element(
      "div", "",
      html_element("dt", "", escaped_html(name)) + html_element("dd", "", escaped_html(value)));
}

}  // namespace

std::string listeners_html(const Snapshot& snapshot) {
  std::string rows;
  for (std::size_t i = 0; i < snapshot.listeners.size(); ++i) {
    rows += listener_row(snapshot, i);
  }
  for (const DatagramListenerSnapshot& listener : snapshot.datagram_listeners) {
    rows += datagram_listener_row(listener);
  }
  if (rows.empty()) {
    return section("class=\"full\"", heading("Listeners") + soft("There are none."));
  }
  return section("class=\"full\"",
                 table_html("class=\"listeners\"", heading("Listeners"),
                            {"address", "open", "accepted", "waiting", "dropped"}, rows));
}

std::string workers_html(const Snapshot& snapshot) {
  constexpr std::size_t kRows = 16;  // Of a table; wide windows show some side by side.
  std::uint64_t most = 0;
  for (const WorkerSnapshot& worker : snapshot.workers) {
    most = std::max(most, open_connections(worker));
  }
  const std::size_t count = snapshot.workers.size();
  std::string tables;
  for (std::size_t begin = 0; begin < count; begin += kRows) {
    const std::size_t end = std::min(begin + kRows, count);
    std::string rows;
    for (std::size_t i = begin; i < end; ++i) {
      rows += worker_row(snapshot, i, most);
    }
    tables += table_html("class=\"workers\"",
                         "Workers " + std::to_string(begin) + " to " + std::to_string(end - 1),
                         {"worker", "open", "turns", "buffered"}, rows);
  }
  return section("class=\"full\"",
                 heading("Workers") + (count == 0 ? soft("There are none.")
                                                  : html_element("div", "class=\"side\"", tables)));
}

std::string closes_html(const Snapshot& snapshot, const ConnectionHistory& history) {
  const CounterValues now = total_counters(snapshot);
  std::vector<CounterLine> lines;
  for (std::size_t i = 0; i < kCloseReasons; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    lines.push_back(counter_line(counter_of(reason), now, history));
    lines.back().name = name_of(reason);
  }
  return counters_html("Closed", "reason", snapshot, history, lines);
}

std::string refusals_html(const Snapshot& snapshot, const ConnectionHistory& history) {
  const CounterValues now = total_counters(snapshot);
  std::uint64_t dropped = 0;
  for (const ListenerSnapshot& listener : snapshot.listeners) {
    dropped += listener.dropped;
  }
  std::vector<CounterLine> lines{{.name = "dropped",
                                  .meaning = "connection attempts that the kernel dropped: an "
                                             "accept queue was full (backlog)",
                                  .now = dropped,
                                  .before = history.size() > 0 ? history[0].dropped : 0}};
  for (const Counter counter : kRefusals) {
    lines.push_back(counter_line(counter, now, history));
  }
  lines.push_back({.name = "worker_stalls",
                   .meaning = "times that a worker made no turn for 6 s",
                   .now = snapshot.worker_stalls,
                   .before = history.size() > 0 ? history[0].worker_stalls : 0});
  return counters_html("Refused and delayed", "reason", snapshot, history, lines);
}

std::string work_html(const Snapshot& snapshot, const ConnectionHistory& history) {
  const CounterValues now = total_counters(snapshot);
  std::vector<CounterLine> lines;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Counter::closed); ++i) {
    const auto counter = static_cast<Counter>(i);
    if (std::find(kRefusals.begin(), kRefusals.end(), counter) == kRefusals.end()) {
      lines.push_back(counter_line(counter, now, history));
    }
  }
  return counters_html("Work", "counter", snapshot, history, lines);
}

std::string server_delay_html(const Snapshot& snapshot, const ConnectionHistory& history) {
  const DelayHistogram::Values all = total_server_delay(snapshot);
  if (count_of(all) == 0) {
    return section("", heading("Server delay") + soft("No echo has been sampled yet."));
  }
  const DelayHistogram::Values recent =
      history.size() > 0 ? growth(all, history[0].server_delay) : DelayHistogram::Values{};
  return section("", delay_table(snapshot, history, all, recent) +
                         soft("From the arrival of the newest received byte in the kernel until "
                              "its echo was handed back, of about one read in 64."));
}

std::string log_html(const LogSnapshot& log) {
  std::string lines;
  for (const std::string& line : log.trouble) {  // The newest first.
    lines.insert(0, html_element("li", style_of_log_line(line), escaped_html(line)));
  }
  const std::string facts = fact("file level", log.file_level) +
                            fact("stderr level", log.stderr_level) +
                            fact("lines dropped", count_text(log.lines_dropped)) +
                            fact("write failures", count_text(log.write_failures));
  return section("class=\"full\"",
                 heading("Log") + html_element("dl", "", facts) +
                     (lines.empty() ? soft("No warning and no error since this program started.")
                                    : html_element("h3", "", "Last warnings and errors") +
                                          html_element("ol", "class=\"trouble\"", lines)));
}

std::string config_html(const ServiceFacts& service, bool is_unfolded) {
  const std::string keep_open =
      is_unfolded
          ? ""
          : " " + html_element("a", "href=\"?refresh=never#configuration\"", "Keep it open");
  return section(
      R"(class="full" id="configuration")",
      html_element("details", is_unfolded ? "open=\"open\"" : "",
                   html_element("summary", "", heading("Configuration in force")) +
                       soft(escaped_html(service.config_name) + ", applied " +
                            utc_text(service.config_loaded_at) + "; " +
                            count_text(service.reloads_applied) + " reloads applied, " +
                            count_text(service.reloads_refused) + " refused." + keep_open) +
                       html_element("pre", "", escaped_html(service.config_text))));
}

}  // namespace echod
