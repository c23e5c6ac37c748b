#include "admin/status_json.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "admin/delay_estimate.hpp"
#include "admin/json_text.hpp"

namespace echod {

namespace {

double in_seconds(DelayHistogram::Delay delay) noexcept {
  return std::chrono::duration<double>(delay).count();
}

void write_reload_counts(JsonText& json, const ServiceFacts& service) {
  json.member("reloads_applied", service.reloads_applied)
      .member("reloads_refused", service.reloads_refused);
}

void write_upgrade_counts(JsonText& json, const UpgradeFigures& upgrades) {
  json.member("done", upgrades.done)
      .member("refused", upgrades.refused)
      .member("failed", upgrades.failed);
}

void write_config(JsonText& json, const ServiceFacts& service) {
  json.key("config")
      .begin_object()
      .member("name", service.config_name)
      .member("loaded_at", service.config_loaded_at);
  write_reload_counts(json, service);
  json.member("reload_error", service.reload_error)
      .member("is_reload_in_progress", service.is_reload_in_progress)
      .member("text", service.config_text)
      .end_object();
}

void write_upgrades(JsonText& json, const UpgradeFigures& upgrades) {
  json.key("upgrades").begin_object();
  write_upgrade_counts(json, upgrades);
  json.member("last_pause_s", upgrades.last_pause_s)
      .member("last_connections", upgrades.last_connections)
      .member("earlier_version", upgrades.earlier_version)
      .member("last_error", upgrades.last_error)
      .end_object();
}

// null: the kernel does not tell it.
void write_queue_count(JsonText& json, const ListenerSnapshot& listener, std::string_view name,
                       std::uint64_t count) {
  json.key(name);
  listener.has_queue ? json.value(count) : json.null();
}

void write_listeners(JsonText& json, const Snapshot& snapshot) {
  json.key("listeners").begin_array();
  for (std::size_t i = 0; i < snapshot.listeners.size(); ++i) {
    const ListenerSnapshot& listener = snapshot.listeners[i];
    json.begin_object()
        .member("address", listener.address)
        .member("connections", connections_of_listener(snapshot, i))
        .member("accepted", listener.accepted);
    write_queue_count(json, listener, "waiting", listener.waiting);
    write_queue_count(json, listener, "queue_limit", listener.queue_limit);
    write_queue_count(json, listener, "dropped", listener.dropped);
    json.member("is_open", listener.is_open).end_object();
  }
  json.end_array();
}

void write_datagram_listeners(JsonText& json,
                              const std::vector<DatagramListenerSnapshot>& listeners) {
  json.key("datagram_listeners").begin_array();
  for (const DatagramListenerSnapshot& listener : listeners) {
    json.begin_object()
        .member("address", listener.address)
        .member("queued_bytes", listener.queued_bytes)
        .member("dropped", listener.dropped)
        .member("is_open", listener.is_open)
        .end_object();
  }
  json.end_array();
}

void write_workers(JsonText& json, const std::vector<WorkerSnapshot>& workers) {
  json.key("workers").begin_array();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const WorkerSnapshot& worker = workers[i];
    json.begin_object()
        .member("worker", i)
        .member("is_stuck", worker.is_stuck)
        .member("connections", open_connections(worker))
        .member("turns", worker.turns)
        .member("buffered_bytes", worker.buffered_bytes)
        .member("stale_events", worker.stale_events)
        .end_object();
  }
  json.end_array();
}

void write_counters(JsonText& json, const CounterValues& totals) {
  json.key("counters").begin_object();
  for (std::size_t i = 0; i < totals.size(); ++i) {
    json.member(name_of(static_cast<Counter>(i)), totals[i]);
  }
  json.end_object();
}

void write_server_delay(JsonText& json, const DelayHistogram::Values& delay) {
  json.key("server_delay").begin_object().member("count", count_of(delay));
  json.member("sum_s", in_seconds(delay.sum)).key("ranges").begin_array();
  for (std::size_t i = 0; i < delay.counts.size(); ++i) {
    json.begin_object().key("le_s");
    i < DelayHistogram::kBounds.size() ? json.value(in_seconds(DelayHistogram::kBounds[i]))
                                       : json.null();
    json.member("count", delay.counts[i]).end_object();
  }
  json.end_array().end_object();
}

void write_log(JsonText& json, const LogSnapshot& log) {
  json.key("log")
      .begin_object()
      .member("file_level", log.file_level)
      .member("stderr_level", log.stderr_level)
      .member("lines_dropped", log.lines_dropped)
      .member("write_failures", log.write_failures);
  json.key("trouble").begin_array();
  for (const std::string& line : log.trouble) {
    json.value(line);
  }
  json.end_array().end_object();
}

void write_process(JsonText& json, const ProcessSnapshot& process) {
  json.key("process")
      .begin_object()
      .member("cpu_user_s", process.cpu_user_s)
      .member("cpu_system_s", process.cpu_system_s)
      .member("resident_bytes", process.resident_bytes)
      .end_object();
}

}  // namespace

std::string status_json(const Snapshot& snapshot) {
  const ServiceFacts& service = snapshot.service;
  JsonText json;
  json.begin_object()
      .member("version", snapshot.version)
      .member("pid", snapshot.pid)
      .member("phase", name_of(snapshot.phase))
      .member("not_ready_because", snapshot.not_ready_because)
      .member("unhealthy_because", snapshot.unhealthy_because)
      .member("now", snapshot.now)
      .member("started_at", service.process_started_at)
      .member("program_started_at", service.program_started_at)
      .member("connections", open_connections(snapshot))
      .member("max_connections", service.max_connections)
      .member("open_files", snapshot.process.open_files)
      .member("open_files_limit", service.open_files_limit)
      .member("buffered_bytes", buffered_bytes(snapshot))
      .member("buffer_bytes_limit", service.buffer_bytes_limit);
  write_config(json, service);
  write_upgrades(json, service.upgrades);
  write_listeners(json, snapshot);
  write_datagram_listeners(json, snapshot.datagram_listeners);
  write_workers(json, snapshot.workers);
  json.member("worker_stalls", snapshot.worker_stalls);
  write_counters(json, total_counters(snapshot));
  write_server_delay(json, total_server_delay(snapshot));
  write_log(json, snapshot.log);
  write_process(json, snapshot.process);
  return json.end_object().take();
}

std::string reload_counts_json(const ServiceFacts& service) {
  JsonText json;
  json.begin_object().member("started_at", service.process_started_at);
  json.key("config").begin_object();
  write_reload_counts(json, service);
  json.end_object().key("upgrades").begin_object();
  write_upgrade_counts(json, service.upgrades);
  json.end_object();
  return json.end_object().take();
}

}  // namespace echod
