#include "admin/metrics.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/counter_descriptions.hpp"
#include "text/utf8.hpp"

namespace echod {

namespace {

// std::to_chars writes the shortest text that is read back as the same number.
template <typename Number, typename... Format>
std::string exact_text(Number number, Format... format) {
  constexpr std::size_t kMost = 32;
  std::array<char, kMost> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), number, format...);
  return error == std::errc{} ? std::string(text.data(), end) : "NaN";
}

std::string escaped_label(std::string_view value) {
  std::string text;
  for (const char character : printable_utf8(value)) {
    switch (character) {
      case '\n':
        text += "\\n";
        break;
      case '\r':  // The format has no escape for it, and some readers take it for a newline.
        text += ' ';
        break;
      case '\\':
      case '"':
        text += '\\';
        [[fallthrough]];
      default:
        text += character;
        break;
    }
  }
  return text;
}

using Label = std::pair<std::string_view, std::string>;

// Builds the text, one metric after the other.
class MetricsText {
 public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    ((((text_ += "# HELP ") += name) += ' ') += help) += '\n';
    ((((text_ += "# TYPE ") += name) += ' ') += type) += '\n';
  }

  // A sample of the metric that was begun last.
  template <typename Number>
  void sample(Number number, const std::vector<Label>& labels = {}, std::string_view suffix = "") {
    (text_ += name_) += suffix;
    char before = '{';
    for (const auto& [name, value] : labels) {
      ((((text_ += before) += name) += "=\"") += escaped_label(value)) += '"';
      before = ',';
    }
    text_ += labels.empty() ? " " : "} ";
    (text_ += exact_text(number)) += '\n';
  }

  template <typename Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number number) {
    begin(name, type, help);
    sample(number);
  }

  [[nodiscard]] std::string finish() && { return std::move(text_); }

 private:
  std::string text_;
  std::string_view name_;
};

constexpr std::string_view kGauge = "gauge";
constexpr std::string_view kCounter = "counter";

double seconds(DelayHistogram::Delay delay) noexcept {
  return std::chrono::duration<double>(delay).count();
}

int flag(bool is_set) noexcept {
  return is_set ? 1 : 0;
}

void write_state(MetricsText& text, const Snapshot& snapshot) {
  text.begin("echod_build_info", kGauge, "Always 1; the label is the version of echod.");
  text.sample(1, {{"version", snapshot.version}});
  text.single("echod_ready", kGauge, "Whether echod is ready for clients, as /readyz says.",
              flag(snapshot.not_ready_because.empty()));
  text.single("echod_healthy", kGauge, "Whether every worker answers, as /healthz says.",
              flag(snapshot.unhealthy_because.empty()));
  text.single("echod_draining", kGauge, "Whether echod is stopping and serves its last clients.",
              flag(snapshot.phase == Phase::draining));
}

void write_connections(MetricsText& text, const Snapshot& snapshot) {
  text.begin("echod_connections", kGauge, "Open connections.");
  for (std::size_t listener = 0; listener < snapshot.listeners.size(); ++listener) {
    for (std::size_t worker = 0; worker < snapshot.workers.size(); ++worker) {
      text.sample(
          connections_of_listener(snapshot.workers[worker], listener),
          {{"listener", snapshot.listeners[listener].address}, {"worker", std::to_string(worker)}});
    }
  }
  text.single("echod_max_connections", kGauge,
              "Most connections that may be open: limits.max_connections, or fewer if echod may "
              "not open enough files.",
              snapshot.service.max_connections);
}

void write_counter(MetricsText& text, const CounterDescription& description,
                   const CounterValues& totals) {
  const std::uint64_t value = totals[static_cast<std::size_t>(description.counter)];
  if (description.label.empty()) {
    text.sample(value);
  } else {
    text.sample(value, {{description.label, std::string(description.value)}});
  }
}

void write_counters(MetricsText& text, const CounterValues& totals) {
  for (std::size_t i = 0; i < kCounters; ++i) {
    const CounterDescription& first = description_of(static_cast<Counter>(i));
    const std::string help = metric_help(first);
    if (help.empty()) {
      continue;  // Written with the first counter of its metric.
    }
    text.begin(first.metric, kCounter, help);
    for (std::size_t other = i; other < kCounters; ++other) {
      const CounterDescription& same = description_of(static_cast<Counter>(other));
      if (same.metric == first.metric) {
        write_counter(text, same, totals);
      }
    }
  }
}

// A sample for each listener, or for each whose accept queue is known. The removed ones have none.
template <typename ValueOf>
void write_listeners(MetricsText& text, const Snapshot& snapshot, bool only_with_queue,
                     ValueOf value_of) {
  for (const ListenerSnapshot& listener : snapshot.listeners) {
    const bool has_queue = listener.is_open && listener.has_queue;
    if ((has_queue || !only_with_queue) && !listener.is_removed) {
      text.sample(value_of(listener), {{"listener", listener.address}});
    }
  }
}

void write_listeners(MetricsText& text, const Snapshot& snapshot) {
  constexpr bool kOnlyWithQueue = true;
  text.begin("echod_listener_open", kGauge, "Whether the listening socket is open.");
  write_listeners(text, snapshot, !kOnlyWithQueue,
                  [](const ListenerSnapshot& listener) { return flag(listener.is_open); });
  text.begin("echod_listener_connections_accepted_total", kCounter,
             "Connections that were accepted from this listener.");
  write_listeners(text, snapshot, !kOnlyWithQueue,
                  [](const ListenerSnapshot& listener) { return listener.accepted; });
  text.begin("echod_listener_queue_length", kGauge,
             "Clients that wait in the accept queue of an open TCP listener.");
  write_listeners(text, snapshot, kOnlyWithQueue,
                  [](const ListenerSnapshot& listener) { return listener.waiting; });
  text.begin(
      "echod_listener_queue_limit", kGauge,
      "Clients that may wait in the accept queue of an open TCP listener: the backlog that the "
      "kernel granted.");
  write_listeners(text, snapshot, kOnlyWithQueue,
                  [](const ListenerSnapshot& listener) { return listener.queue_limit; });
  text.begin("echod_listener_queue_dropped_total", kCounter,
             "Segments of connecting clients that the kernel dropped, nearly always because the "
             "accept queue of an open TCP listener was full.");
  write_listeners(text, snapshot, kOnlyWithQueue,
                  [](const ListenerSnapshot& listener) { return listener.dropped; });
}

// Only if there is a [[listen]] for UDP.
void write_datagram_listeners(MetricsText& text, const Snapshot& snapshot) {
  if (snapshot.datagram_listeners.empty()) {
    return;
  }
  text.begin("echod_datagram_listener_open", kGauge,
             "Whether the UDP sockets of the listener are open.");
  for (const DatagramListenerSnapshot& listener : snapshot.datagram_listeners) {
    text.sample(flag(listener.is_open), {{"listener", listener.address}});
  }
  text.begin("echod_datagram_listener_queue_dropped_total", kCounter,
             "Datagrams that the kernel dropped, nearly always because the receive buffer of the "
             "listener was full; the kernel counts a train as one.");
  for (const DatagramListenerSnapshot& listener : snapshot.datagram_listeners) {
    text.sample(listener.dropped, {{"listener", listener.address}});
  }
}

// A sample for each worker.
template <typename ValueOf>
void write_workers(MetricsText& text, const Snapshot& snapshot, ValueOf value_of) {
  for (std::size_t i = 0; i < snapshot.workers.size(); ++i) {
    text.sample(value_of(snapshot.workers[i]), {{"worker", std::to_string(i)}});
  }
}

std::uint64_t stale_events(const Snapshot& snapshot) noexcept {
  std::uint64_t sum = 0;
  for (const WorkerSnapshot& worker : snapshot.workers) {
    sum += worker.stale_events;
  }
  return sum;
}

void write_workers(MetricsText& text, const Snapshot& snapshot) {
  text.begin("echod_worker_stuck", kGauge, "Whether the worker has made no turn for 6 s or more.");
  write_workers(text, snapshot, [](const WorkerSnapshot& worker) { return flag(worker.is_stuck); });
  text.begin("echod_worker_turns_total", kCounter,
             "Turns of the worker: bounded pieces of work on a connection or an accept queue.");
  write_workers(text, snapshot, [](const WorkerSnapshot& worker) { return worker.turns; });
  text.single("echod_worker_stalls_total", kCounter, "Times that a worker made no turn for 6 s.",
              snapshot.worker_stalls);
  text.single("echod_stale_events_total", kCounter,
              "Events for a connection that was already closed; they are ignored.",
              stale_events(snapshot));
  text.single("echod_buffer_used_bytes", kGauge,
              "Bytes of reply buffers that hold what clients have not read; those in pipes are "
              "not counted.",
              buffered_bytes(snapshot));
  text.single("echod_buffer_limit_bytes", kGauge,
              "Most bytes that all reply buffers may have together (buffers.total_mib).",
              snapshot.service.buffer_bytes_limit);
}

void write_service(MetricsText& text, const ServiceFacts& service) {
  text.begin("echod_reloads_total", kCounter,
             "Reloads of the configuration that were applied, or refused because of an error.");
  text.sample(service.reloads_applied, {{"result", "applied"}});
  text.sample(service.reloads_refused, {{"result", "refused"}});
  text.single("echod_config_last_reload_successful", kGauge,
              "Whether the last reload was applied; also 1 before the first.",
              flag(service.reload_error.empty()));
  text.single("echod_config_loaded_timestamp_seconds", kGauge,
              "When the configuration in force was applied, in seconds since 1970.",
              service.config_loaded_at);
  text.begin("echod_upgrades_total", kCounter,
             "Upgrades in place: done, refused by the new program or because it did not start, or "
             "failed because the workers did not stop or a system call failed.");
  text.sample(service.upgrades.done, {{"result", "done"}});
  text.sample(service.upgrades.refused, {{"result", "refused"}});
  text.sample(service.upgrades.failed, {{"result", "failed"}});
  text.single("echod_upgrade_pause_seconds", kGauge,
              "How long no worker served during the last upgrade in place; 0 before the first.",
              service.upgrades.last_pause_s);
  text.single(
      "echod_program_start_time_seconds", kGauge,
      "When this program started in its process, in seconds since 1970; an upgrade in place "
      "starts a program in the same process.",
      service.program_started_at);
}

void write_log(MetricsText& text, const LogSnapshot& log) {
  text.begin("echod_log_lines_dropped_total", kCounter,
             "Log lines that were lost, because a queue was full (queue_full) or could not be "
             "written (write_failed).");
  text.sample(log.lines_dropped, {{"cause", "queue_full"}});
  text.sample(log.write_failures, {{"cause", "write_failed"}});
}

void write_server_delay(MetricsText& text, const DelayHistogram::Values& delay) {
  text.begin("echod_server_delay_seconds", "histogram",
             "Time from the arrival of the newest received byte in the kernel until its echo was "
             "handed back, of about one read in 64.");
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < delay.counts.size(); ++i) {
    count += delay.counts[i];
    const std::string bound =
        i < DelayHistogram::kBounds.size()
            ? exact_text(seconds(DelayHistogram::kBounds[i]), std::chars_format::general)
            : "+Inf";
    text.sample(count, {{"le", bound}}, "_bucket");
  }
  text.sample(seconds(delay.sum), {}, "_sum");
  text.sample(count, {}, "_count");
}

void write_admin(MetricsText& text, const HttpCounters& http) {
  text.begin("echod_admin_requests_total", kCounter,
             "Requests to the admin socket and port, by the status of the response: below 400 "
             "(answered), below 500 (refused), 500 or above (failed).");
  text.sample(http.answered, {{"result", "answered"}});
  text.sample(http.refused, {{"result", "refused"}});
  text.sample(http.failed, {{"result", "failed"}});
  text.single("echod_admin_connections_accepted_total", kCounter,
              "Connections to the admin socket and port.", http.accepted);
  text.begin("echod_admin_connections_cut_total", kCounter,
             "Connections to the admin socket and port that were closed before a whole response, "
             "to make room for a new one (pushed_out) or at their deadline (timed_out).");
  text.sample(http.pushed_out, {{"reason", "pushed_out"}});
  text.sample(http.timed_out, {{"reason", "timed_out"}});
  text.single("echod_admin_accept_errors_total", kCounter,
              "Errors while accepting connections to the admin socket and port.",
              http.accept_errors);
}

// The metrics that every client library of Prometheus has, under their usual names.
void write_process(MetricsText& text, const Snapshot& snapshot) {
  const ProcessSnapshot& process = snapshot.process;
  text.single("process_cpu_seconds_total", kCounter, "CPU time of all threads, user and system.",
              process.cpu_user_s + process.cpu_system_s);
  text.single("process_resident_memory_bytes", kGauge, "Resident memory.", process.resident_bytes);
  text.single("process_open_fds", kGauge, "Open file descriptors.", process.open_files);
  text.single("process_max_fds", kGauge, "Most file descriptors that may be open (ulimit -n).",
              snapshot.service.open_files_limit);
  text.single("process_start_time_seconds", kGauge,
              "When the process started, in seconds since 1970.",
              snapshot.service.process_started_at);
}

}  // namespace

std::string metrics_text(const Snapshot& snapshot, const HttpCounters& http) {
  MetricsText text;
  write_state(text, snapshot);
  write_connections(text, snapshot);
  write_counters(text, total_counters(snapshot));
  write_listeners(text, snapshot);
  write_datagram_listeners(text, snapshot);
  write_workers(text, snapshot);
  write_service(text, snapshot.service);
  write_log(text, snapshot.log);
  write_server_delay(text, total_server_delay(snapshot));
  write_admin(text, http);
  write_process(text, snapshot);
  return std::move(text).finish();
}

}  // namespace echod
