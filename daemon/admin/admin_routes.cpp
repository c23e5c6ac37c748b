#include "admin/admin_routes.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <string_view>
#include <utility>

#include "admin/connection_query.hpp"
#include "admin/connections_json.hpp"
#include "admin/json_text.hpp"
#include "admin/metrics.hpp"
#include "admin/status_json.hpp"
#include "admin/status_page.hpp"
#include "config/key_type.hpp"
#include "config/toml_value.hpp"

namespace echod {

namespace {

constexpr std::string_view kConnectionPrefix = "/connections/";
constexpr std::chrono::minutes kReportInterval{1};

HttpResponse response(int status, std::string_view content_type, std::string body) {
  HttpResponse response;
  response.status = status;
  response.content_type = content_type;
  response.body = std::move(body);
  return response;
}

HttpResponse json(std::string body, int status = 200) {
  return response(status, "application/json", std::move(body));
}

// The answer to a probe: 503 if there is a reason.
HttpResponse probe(const std::string& reason, std::string_view otherwise) {
  constexpr std::string_view kText = "text/plain; charset=utf-8";
  return reason.empty() ? response(200, kText, std::string(otherwise) + '\n')
                        : response(503, kText, reason + '\n');
}

LogLevel level(std::string_view name, std::string_view value) {
  const auto parsed = parse_level(value);
  if (!parsed) {
    throw QueryError(std::string(name) + '=' + one_line(value, kShownBytes) + ": use " +
                     allowed_text({.type = KeyType::level}));
  }
  return *parsed;
}

LogLevels log_levels(const HttpRequest& request) {
  LogLevels levels;
  for (const auto& [name, value] : request.query) {
    if (name == "file") {
      levels.file = level(name, value);
    } else if (name == "stderr") {
      levels.stderr_level = level(name, value);
    } else {
      throw QueryError("unknown parameter " + one_line(name, kShownBytes) +
                       "; known parameters: file, stderr");
    }
  }
  if (!levels.file && !levels.stderr_level) {
    throw QueryError("give file=LEVEL, stderr=LEVEL or both");
  }
  return levels;
}

ReloadMode reload_mode(const HttpRequest& request) {
  ReloadMode mode = ReloadMode::as_needed;
  for (const auto& [name, value] : request.query) {
    if (name != "force") {
      throw QueryError("unknown parameter " + one_line(name, kShownBytes) +
                       "; known parameter: force");
    }
    if (value != "true" && value != "false") {
      throw QueryError("force=" + one_line(value, kShownBytes) + ": use true or false");
    }
    mode = value == "true" ? ReloadMode::forced : ReloadMode::as_needed;
  }
  return mode;
}

std::string_view name_of(HttpMethod method) noexcept {
  switch (method) {
    case HttpMethod::post:
      return "POST";
    case HttpMethod::del:
      return "DELETE";
    default:
      return "GET";
  }
}

}  // namespace

struct AdminRoutes::Route {
  HttpMethod method;
  std::string_view path;  // kConnectionPrefix stands for all paths that begin with it.
  Access least;
  void (AdminRoutes::*answer)(RequestId, const HttpRequest&);

  [[nodiscard]] bool has(std::string_view wanted) const noexcept {
    return path == wanted || (path == kConnectionPrefix && wanted.starts_with(path));
  }
  [[nodiscard]] bool is_allowed(Access access) const noexcept {
    return least == Access::read_only || access == Access::full;
  }
};

std::span<const AdminRoutes::Route> AdminRoutes::routes() noexcept {
  static constexpr auto kRoutes = std::to_array<Route>({
      {HttpMethod::get, "/", Access::read_only, &AdminRoutes::send_page},
      {HttpMethod::get, "/metrics", Access::read_only, &AdminRoutes::send_metrics},
      {HttpMethod::get, "/healthz", Access::read_only, &AdminRoutes::send_health},
      {HttpMethod::get, "/readyz", Access::read_only, &AdminRoutes::send_readiness},
      {HttpMethod::get, "/status", Access::read_only, &AdminRoutes::send_status},
      {HttpMethod::get, "/connections", Access::full, &AdminRoutes::list_connections},
      {HttpMethod::del, "/connections", Access::full, &AdminRoutes::close_connections},
      {HttpMethod::del, kConnectionPrefix, Access::full, &AdminRoutes::close_connection},
      {HttpMethod::post, "/log-level", Access::full, &AdminRoutes::set_log_levels},
      {HttpMethod::post, "/drain", Access::full, &AdminRoutes::drain},
      {HttpMethod::post, "/upgrade", Access::full, &AdminRoutes::upgrade},
  });
  return kRoutes;
}

AdminRoutes::AdminRoutes(const Context& context)
    : snapshots_(context.snapshots),
      history_(context.history),
      inquiries_(context.inquiries),
      service_(context.service) {
  for (const auto& listener : context.listeners) {
    listeners_.push_back(listener->name);
  }
}

void AdminRoutes::on_request(RequestId id, Access access, const HttpRequest& request) {
  std::string methods;
  for (const Route& route : routes()) {
    if (!route.has(request.path)) {
      continue;
    }
    if (!route.is_allowed(access)) {
      return respond(id, http_error(403, request.path + " is for the UNIX socket only"));
    }
    if (route.method == request.method) {
      return answer(id, route, request);
    }
    methods.append(methods.empty() ? "" : ", ").append(name_of(route.method));
  }
  if (methods.empty()) {
    return respond(id, http_error(404, "no such path: " + one_line(request.path, kShownBytes) +
                                           "; there are " + paths_for(access)));
  }
  HttpResponse response = http_error(405, request.path + " allows " + methods);
  response.allow = std::move(methods);
  respond(id, std::move(response));
}

// "/, /metrics, ..."
std::string AdminRoutes::paths_for(Access access) {
  std::string paths;
  std::string_view last;
  for (const Route& route : routes()) {
    if (route.is_allowed(access) && route.path != last) {
      paths.append(paths.empty() ? "" : ", ").append(route.path);
      last = route.path;
    }
  }
  return paths;
}

void AdminRoutes::answer(RequestId id, const Route& route, const HttpRequest& request) {
  try {
    (this->*route.answer)(id, request);
  } catch (const QueryError& error) {
    respond(id, http_error(400, error.what()));
  }
}

void AdminRoutes::on_accept_paused(Access /*access*/, int error) noexcept {
  const sys::TimePoint now = sys::MonotonicClock::now();
  if (now < next_report_) {
    return;
  }
  next_report_ = now + kReportInterval;
  service_.report("cannot accept an admin connection; retrying every 250 ms", error);
}

void AdminRoutes::on_listener_lost(Access access, int error) noexcept {
  service_.report(access == Access::full
                      ? "the admin socket failed; it accepts no requests until a restart"
                      : "the admin port failed; it accepts no requests until a restart",
                  error);
}

void AdminRoutes::respond(RequestId id, HttpResponse response) noexcept {
  server_->respond(id, std::move(response));
}

void AdminRoutes::respond_if_busy(RequestId id, bool is_asked) {
  if (!is_asked) {
    respond(id, http_error(503, "too many requests about connections wait; try again"));
  }
}

void AdminRoutes::send_page(RequestId id, const HttpRequest& request) {
  const PageRefresh refresh =
      request.parameter("refresh") == "never" ? PageRefresh::never : PageRefresh::every_5_s;
  respond(id, response(200, "text/html; charset=utf-8",
                       status_page(snapshots_.take(), history_, refresh)));
}

void AdminRoutes::send_metrics(RequestId id, const HttpRequest& /*request*/) {
  respond(id, response(200, "text/plain; version=0.0.4; charset=utf-8",
                       metrics_text(snapshots_.take(), server_->counters())));
}

void AdminRoutes::send_health(RequestId id, const HttpRequest& /*request*/) {
  respond(id, probe(snapshots_.unhealthy_because(), "ok"));
}

void AdminRoutes::send_readiness(RequestId id, const HttpRequest& /*request*/) {
  respond(id, probe(snapshots_.not_ready_because(), "ready"));
}

void AdminRoutes::send_status(RequestId id, const HttpRequest& /*request*/) {
  respond(id, json(status_json(snapshots_.take())));
}

void AdminRoutes::list_connections(RequestId id, const HttpRequest& request) {
  const ConnectionQuery query = connection_query(request);
  const bool is_asked = inquiries_.list(
      query,
      [this, id, query](const ConnectionList& list) {
        respond(id, json(connections_json(list, query, listeners_)));
      },
      [this, id] { server_->fail(id); });
  respond_if_busy(id, is_asked);
}

void AdminRoutes::close_connection(RequestId id, const HttpRequest& request) {
  const std::string text = request.path.substr(kConnectionPrefix.size());
  const auto connection = parse_id(text);
  if (!connection) {
    throw QueryError(one_line(text, kShownBytes) +
                     " is not the id of a connection, such as 0-17-3fa");
  }
  ConnectionFilter filter;
  filter.id = connection;
  close(id, filter, "there is no connection " + text);
}

void AdminRoutes::close_connections(RequestId id, const HttpRequest& request) {
  if (request.parameter("network").empty()) {
    throw QueryError("give network=NETWORK; 0.0.0.0/0 and ::/0 are all networks");
  }
  close(id, connection_filter(request), "");
}

// Closing none is an error if `if_none` says so.
void AdminRoutes::close(RequestId id, const ConnectionFilter& filter, std::string if_none) {
  const bool is_asked = inquiries_.close(
      filter,
      [this, id, if_none = std::move(if_none)](const ClosedConnections& result) {
        const bool is_error =
            result.closed == 0 && result.silent_workers.empty() && !if_none.empty();
        respond(id, is_error ? http_error(404, if_none) : json(closed_json(result)));
      },
      [this, id] { server_->fail(id); });
  respond_if_busy(id, is_asked);
}

void AdminRoutes::set_log_levels(RequestId id, const HttpRequest& request) {
  const LogLevels levels = log_levels(request);
  if (levels.file && !service_.log().has_file) {
    throw QueryError("there is no log file: log.file is empty");
  }
  service_.set_log_levels(levels);
  const LogSnapshot log = service_.log();
  JsonText levels_in_force;
  levels_in_force.begin_object()
      .member("file_level", log.file_level)
      .member("stderr_level", log.stderr_level)
      .end_object();
  respond(id, json(levels_in_force.take()));
}

void AdminRoutes::drain(RequestId id, const HttpRequest& /*request*/) {
  service_.drain();  // Ends this thread only after the response is sent.
  respond(id, json("{\"phase\":\"draining\"}\n", 202));
}

// The counts are read before the request is made, so that a client which sees one of them grow
// knows that this was later.
void AdminRoutes::upgrade(RequestId id, const HttpRequest& request) {
  const ReloadMode mode = reload_mode(request);
  if (service_.phase() == Phase::draining) {
    return respond(id, http_error(409, "echod is stopping: not upgraded"));
  }
  std::string counts = reload_counts_json(service_.facts());
  service_.reload(mode);
  respond(id, json(std::move(counts), 202));
}

}  // namespace echod
