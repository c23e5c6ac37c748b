// Answers the requests of operators: says what each path does.
//
//   method  path              access  answer
//   ------  ----------------  ------  -------------------------------------------------------------
//   GET     /                 any     the status page (status_page.hpp)
//   GET     /metrics          any     metrics for Prometheus (metrics.hpp)
//   GET     /healthz          any     200, or 503 and the reason: restart this process
//   GET     /readyz           any     200, or 503 and the reason: send no new clients here
//   GET     /status           any     the status in JSON (status_json.hpp)
//   GET     /connections      full    connections in JSON: filtered, sorted, one page of them
//   DELETE  /connections/ID   full    closes one connection
//   DELETE  /connections      full    closes the connections of a network
//   POST    /log-level        full    changes log levels until the next reload
//   POST    /drain            full    stops as SIGTERM does
//   POST    /upgrade          full    reloads as SIGHUP does; force=true: always with an upgrade.
//                                     Answers with the counts of reloads before it
//
// Thread-safety: belongs to the admin thread. Blocks only as service_access.hpp says.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "admin/connection_history.hpp"
#include "admin/connection_inquiries.hpp"
#include "admin/http_handler.hpp"
#include "admin/http_server.hpp"
#include "admin/service_access.hpp"
#include "admin/snapshot_source.hpp"
#include "sys/clock.hpp"
#include "sys/listen_socket.hpp"

namespace echod {

class AdminRoutes final : public HttpHandler {
 public:
  // The objects that AdminRoutes uses. They must outlive it, except the sockets: only their
  // addresses are kept.
  struct Context {
    const SnapshotSource& snapshots;
    const ConnectionHistory& history;
    ConnectionInquiries& inquiries;
    ServiceAccess& service;
    const std::vector<std::shared_ptr<const sys::ListenSocket>>& listeners;
  };

  // Throws std::bad_alloc.
  explicit AdminRoutes(const Context& context);

  // Call it before the first request.
  void set_server(HttpServer& server) noexcept { server_ = &server; }

  void on_request(RequestId id, Access access, const HttpRequest& request) override;
  void on_accept_paused(Access access, int error) noexcept override;
  void on_listener_lost(Access access, int error) noexcept override;

 private:
  struct Route;
  [[nodiscard]] static std::span<const Route> routes() noexcept;

  [[nodiscard]] static std::string paths_for(Access access);
  void answer(RequestId id, const Route& route, const HttpRequest& request);
  void respond(RequestId id, HttpResponse response) noexcept;
  void respond_if_busy(RequestId id, bool is_asked);
  void close(RequestId id, const ConnectionFilter& filter, std::string if_none);
  void send_page(RequestId id, const HttpRequest& request);
  void send_metrics(RequestId id, const HttpRequest& request);
  void send_health(RequestId id, const HttpRequest& request);
  void send_readiness(RequestId id, const HttpRequest& request);
  void send_status(RequestId id, const HttpRequest& request);
  void list_connections(RequestId id, const HttpRequest& request);
  void close_connection(RequestId id, const HttpRequest& request);
  void close_connections(RequestId id, const HttpRequest& request);
  void set_log_levels(RequestId id, const HttpRequest& request);
  void drain(RequestId id, const HttpRequest& request);
  void upgrade(RequestId id, const HttpRequest& request);

  const SnapshotSource& snapshots_;
  const ConnectionHistory& history_;
  ConnectionInquiries& inquiries_;
  ServiceAccess& service_;
  std::vector<std::string> listeners_;  // Their addresses, by number.
  HttpServer* server_ = nullptr;
  sys::TimePoint next_report_{};  // When the next shortage may be reported.
};

}  // namespace echod
