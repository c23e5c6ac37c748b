#include "client/echoctl/commands.hpp"

#include <cstdint>
#include <utility>

#include "client/echoctl/admin_request.hpp"
#include "client/echoctl/connection_table.hpp"
#include "client/echoctl/overview.hpp"
#include "client/echoctl/requests.hpp"
#include "client/echoctl/status.hpp"
#include "client/text/figures.hpp"

namespace echod::ctl {

namespace {

constexpr int kHttpUnavailable = 503;

Sizes sizes_of(const Options& options) {
  return options.wants_bytes ? Sizes::exact : Sizes::readable;
}

// The answer is "ok" or "ready" with status 200, or the reason with status 503.
Outcome probe(HttpAnswer answer) {
  if (answer.status == kHttpUnavailable) {
    return {.text = client::one_line(answer.body.substr(0, answer.body.find('\n'))) + '\n',
            .warning = {},
            .code = ExitCode::refused};
  }
  return {.text = accepted_body(std::move(answer)), .warning = {}};
}

std::string closed_text(std::uint64_t closed) {
  return "closed " + client::count_text(closed) +
         (closed == 1 ? " connection\n" : " connections\n");
}

std::string levels_text(const LogLevels& levels) {
  return "log file:       " + levels.file + "\nstandard error: " + levels.standard_error + '\n';
}

// A request with a level is answered with the levels, one without a level with the whole status.
LogLevels levels_of(const Options& options, const std::string& body) {
  if (!options.level.empty()) {
    return parse_log_levels(body);
  }
  const LogState log = parse_status(body).log;
  return {.file = log.file_level, .standard_error = log.stderr_level};
}

Outcome list(const Options& options, const std::string& body, const Style& style) {
  const ConnectionList connections = parse_connections(body);
  return {
      .text = options.wants_json ? body : connections_text(connections, sizes_of(options), style),
      .warning = silent_workers_text(connections.silent_workers, kMissing)};
}

Outcome closed(const Options& options, const std::string& body) {
  const ClosedConnections result = parse_closed(body);
  return {.text = options.wants_json ? body : closed_text(result.closed),
          .warning = silent_workers_text(result.silent_workers, kNotClosed),
          .code = result.silent_workers.empty() ? ExitCode::success : ExitCode::unavailable};
}

Outcome success(std::string text) {
  return {.text = std::move(text), .warning = {}};
}

}  // namespace

Outcome outcome_of(const Options& options, HttpAnswer answer, const Style& style) {
  if (options.command == Command::health || options.command == Command::ready) {
    return probe(std::move(answer));
  }
  std::string body = accepted_body(std::move(answer));
  switch (options.command) {
    case Command::connections:
      return list(options, body, style);
    case Command::log_level: {
      const LogLevels levels = levels_of(options, body);
      return success(options.wants_json ? log_levels_json(levels) : levels_text(levels));
    }
    case Command::status:
      return success(options.wants_json ? body
                                        : overview(parse_status(body), sizes_of(options), style));
    case Command::close:
      return closed(options, body);
    case Command::drain:
      return success(options.wants_json
                         ? body
                         : "echod drains: it stops when every client has its bytes back\n");
    case Command::metrics:
    case Command::top:
    case Command::upgrade:
    case Command::health:
    case Command::ready:
      break;
  }
  return success(std::move(body));
}

Outcome run_command(const Options& options) {
  const Request request = request_for(options);
  HttpAnswer answer =
      ask({.path = options.socket, .timeout = options.timeout}, request.method, request.target);
  return outcome_of(options, std::move(answer), Style::of_standard_output());
}

}  // namespace echod::ctl
