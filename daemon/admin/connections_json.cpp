#include "admin/connections_json.hpp"

#include <chrono>
#include <string_view>

#include "admin/json_text.hpp"
#include "admin/snapshot.hpp"
#include "telemetry/listener_counts.hpp"

namespace echod {

namespace {

double seconds_of(std::chrono::milliseconds time) noexcept {
  return std::chrono::duration<double>(time).count();
}

std::string_view name_of_listener(std::span<const std::string> listeners,
                                  ListenerCounts::Listener number) noexcept {
  return number < listeners.size() ? std::string_view(listeners[number]) : kRemovedListeners;
}

void write_silent(JsonText& json, const std::vector<std::size_t>& workers) {
  json.key("silent_workers").begin_array();
  for (const std::size_t worker : workers) {
    json.value(worker);
  }
  json.end_array();
}

}  // namespace

std::string connections_json(const ConnectionList& list, const ConnectionQuery& query,
                             std::span<const std::string> listeners) {
  JsonText json;
  json.begin_object()
      .member("total", list.total)
      .member("offset", query.offset)
      .member("limit", query.limit);
  write_silent(json, list.silent_workers);
  json.key("connections").begin_array();
  for (const ConnectionFacts& facts : list.connections) {
    json.begin_object()
        .member("id", id_text(facts.id))
        .member("peer", facts.peer.text())
        .member("listener", name_of_listener(listeners, facts.listener))
        .member("worker", facts.id.worker)
        .member("age_s", seconds_of(facts.age))
        .member("idle_s", seconds_of(facts.idle))
        .member("bytes_received", facts.bytes_received)
        .member("owed_bytes", facts.owed_bytes)
        .member("state", name_of(facts.state))
        .end_object();
  }
  return json.end_array().end_object().take();
}

std::string closed_json(const ClosedConnections& closed) {
  JsonText json;
  json.begin_object().member("closed", closed.closed);
  write_silent(json, closed.silent_workers);
  return json.end_object().take();
}

}  // namespace echod
