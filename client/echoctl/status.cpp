#include "client/echoctl/status.hpp"

#include <nlohmann/json.hpp>

#include "client/echoctl/exit_codes.hpp"
#include "client/text/figures.hpp"

namespace echod::ctl {

namespace {

using Json = nlohmann::json;

// The member must exist. These throw nlohmann's exceptions.

std::string text_of(const Json& json, const char* name) {
  return client::one_line(json.at(name).get_ref<const std::string&>());
}

std::uint64_t count_of(const Json& json, const char* name) {
  return json.at(name).get<std::uint64_t>();
}

std::optional<std::uint64_t> count_if_known(const Json& json, const char* name) {
  return json.at(name).is_null() ? std::nullopt : std::optional(count_of(json, name));
}

double number_of(const Json& json, const char* name) {
  return json.at(name).get<double>();
}

Listener listener_of(const Json& json) {
  return {.address = text_of(json, "address"),
          .connections = count_of(json, "connections"),
          .accepted = count_of(json, "accepted"),
          .waiting = count_if_known(json, "waiting"),
          .queue_limit = count_if_known(json, "queue_limit"),
          .dropped = count_if_known(json, "dropped"),
          .is_open = json.at("is_open").get<bool>()};
}

DatagramListener datagram_listener_of(const Json& json) {
  return {.address = text_of(json, "address"),
          .queued_bytes = count_of(json, "queued_bytes"),
          .dropped = count_of(json, "dropped"),
          .is_open = json.at("is_open").get<bool>()};
}

Worker worker_of(const Json& json) {
  return {.number = count_of(json, "worker"),
          .is_stuck = json.at("is_stuck").get<bool>(),
          .connections = count_of(json, "connections"),
          .turns = count_of(json, "turns"),
          .buffered_bytes = count_of(json, "buffered_bytes")};
}

Delays delays_of(const Json& json) {
  Delays delays;
  for (const Json& range : json.at("ranges")) {
    const Json& most = range.at("le_s");
    delays.ranges.push_back(
        {.most_s = most.is_null() ? std::nullopt : std::optional(most.get<double>()),
         .count = count_of(range, "count")});
  }
  return delays;
}

ConfigState config_of(const Json& json) {
  return {.name = text_of(json, "name"),
          .loaded_at = number_of(json, "loaded_at"),
          .reloads_applied = count_of(json, "reloads_applied"),
          .reloads_refused = count_of(json, "reloads_refused"),
          .reload_error = text_of(json, "reload_error"),
          .is_reload_in_progress = json.at("is_reload_in_progress").get<bool>()};
}

UpgradeState upgrades_of(const Json& json) {
  return {.done = count_of(json, "done"),
          .refused = count_of(json, "refused"),
          .failed = count_of(json, "failed"),
          .last_pause_s = number_of(json, "last_pause_s"),
          .last_connections = count_of(json, "last_connections"),
          .earlier_version = text_of(json, "earlier_version"),
          .last_error = text_of(json, "last_error")};
}

LogState log_of(const Json& json) {
  LogState log{.file_level = text_of(json, "file_level"),
               .stderr_level = text_of(json, "stderr_level"),
               .lines_dropped = count_of(json, "lines_dropped"),
               .write_failures = count_of(json, "write_failures"),
               .trouble = {}};
  for (const Json& line : json.at("trouble")) {
    log.trouble.push_back(client::one_line(line.get_ref<const std::string&>()));
  }
  return log;
}

Status status_of(const Json& json) {
  Status status{.version = text_of(json, "version"),
                .pid = json.at("pid").get<std::int64_t>(),
                .phase = text_of(json, "phase"),
                .not_ready_because = text_of(json, "not_ready_because"),
                .unhealthy_because = text_of(json, "unhealthy_because"),
                .now = number_of(json, "now"),
                .started_at = number_of(json, "started_at"),
                .program_started_at = number_of(json, "program_started_at"),
                .connections = count_of(json, "connections"),
                .max_connections = count_of(json, "max_connections"),
                .open_files = count_of(json, "open_files"),
                .open_files_limit = count_of(json, "open_files_limit"),
                .buffered_bytes = count_of(json, "buffered_bytes"),
                .buffer_bytes_limit = count_of(json, "buffer_bytes_limit"),
                .config = config_of(json.at("config")),
                .upgrades = upgrades_of(json.at("upgrades")),
                .listeners = {},
                .datagram_listeners = {},
                .workers = {},
                .worker_stalls = count_of(json, "worker_stalls"),
                .counters = {},
                .server_delay = delays_of(json.at("server_delay")),
                .log = log_of(json.at("log")),
                .cpu_user_s = number_of(json.at("process"), "cpu_user_s"),
                .cpu_system_s = number_of(json.at("process"), "cpu_system_s"),
                .resident_bytes = count_of(json.at("process"), "resident_bytes")};
  for (const Json& listener : json.at("listeners")) {
    status.listeners.push_back(listener_of(listener));
  }
  // An earlier echod does not have them.
  for (const Json& listener : json.value("datagram_listeners", Json::array())) {
    status.datagram_listeners.push_back(datagram_listener_of(listener));
  }
  for (const Json& worker : json.at("workers")) {
    status.workers.push_back(worker_of(worker));
  }
  for (const auto& [name, value] : json.at("counters").items()) {
    status.counters.emplace(client::one_line(name), value.get<std::uint64_t>());
  }
  return status;
}

Connection connection_of(const Json& json) {
  return {.id = text_of(json, "id"),
          .peer = text_of(json, "peer"),
          .listener = text_of(json, "listener"),
          .worker = count_of(json, "worker"),
          .age_s = number_of(json, "age_s"),
          .idle_s = number_of(json, "idle_s"),
          .bytes_received = count_of(json, "bytes_received"),
          .owed_bytes = count_of(json, "owed_bytes"),
          .state = text_of(json, "state")};
}

std::vector<std::uint64_t> silent_workers_of(const Json& json) {
  return json.at("silent_workers").get<std::vector<std::uint64_t>>();
}

ConnectionList connections_of(const Json& json) {
  ConnectionList list{.total = count_of(json, "total"),
                      .offset = count_of(json, "offset"),
                      .silent_workers = silent_workers_of(json),
                      .connections = {}};
  for (const Json& connection : json.at("connections")) {
    list.connections.push_back(connection_of(connection));
  }
  return list;
}

// Calls `read` with the parsed text.
template <typename Read>
auto parse(const std::string& text, Read read) {
  try {
    return read(Json::parse(text));
  } catch (const Json::exception& error) {
    throw FatalError(
        ExitCode::protocol,
        std::string("echod's answer is not understood; its version may be another than "
                    "that of echoctl (" ECHOD_VERSION "): ") +
            client::one_line(error.what()));
  }
}

}  // namespace

std::uint64_t Delays::count() const noexcept {
  std::uint64_t sum = 0;
  for (const Range& range : ranges) {
    sum += range.count;
  }
  return sum;
}

std::uint64_t Status::counter(std::string_view name) const {
  const auto found = counters.find(std::string(name));
  return found == counters.end() ? 0 : found->second;
}

Status parse_status(const std::string& json) {
  return parse(json, status_of);
}

ConnectionList parse_connections(const std::string& json) {
  return parse(json, connections_of);
}

ClosedConnections parse_closed(const std::string& json) {
  return parse(json, [](const Json& answer) {
    return ClosedConnections{.closed = count_of(answer, "closed"),
                             .silent_workers = silent_workers_of(answer)};
  });
}

LogLevels parse_log_levels(const std::string& json) {
  return parse(json, [](const Json& answer) {
    return LogLevels{.file = text_of(answer, "file_level"),
                     .standard_error = text_of(answer, "stderr_level")};
  });
}

UpgradeOrder parse_upgrade_order(const std::string& json) {
  return parse(json, [](const Json& answer) {
    const Json& config = answer.at("config");
    const Json& upgrades = answer.at("upgrades");
    return UpgradeOrder{.started_at = number_of(answer, "started_at"),
                        .reloads_applied = count_of(config, "reloads_applied"),
                        .reloads_refused = count_of(config, "reloads_refused"),
                        .upgrades_done = count_of(upgrades, "done"),
                        .upgrades_refused = count_of(upgrades, "refused"),
                        .upgrades_failed = count_of(upgrades, "failed")};
  });
}

std::string log_levels_json(const LogLevels& levels) {
  return Json{{"file_level", levels.file}, {"stderr_level", levels.standard_error}}.dump() + '\n';
}

}  // namespace echod::ctl
