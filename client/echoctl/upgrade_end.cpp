#include "client/echoctl/upgrade_end.hpp"

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "client/echoctl/exit_codes.hpp"
#include "client/text/figures.hpp"

namespace echod::ctl {

namespace {

using Result = UpgradeEnd::Result;

const char* name_of(Result result) noexcept {
  switch (result) {
    case Result::done:
      return "done";
    case Result::applied:
      return "applied";
    case Result::refused:
      return "refused";
    case Result::failed:
      return "failed";
    case Result::stopped:
      return "stopped";
  }
  return "";
}

}  // namespace

// An empty reload_error means that the last of several reloads was applied.
std::optional<UpgradeEnd> upgrade_end(const UpgradeOrder& order, const Status& now) {
  if (now.started_at != order.started_at) {
    throw FatalError(ExitCode::unavailable,
                     "echod was started again during the upgrade, so its connections are lost: "
                     "see its log");
  }
  UpgradeEnd end{.result = Result::stopped, .version = now.version};
  if (now.phase == "draining") {
    end.error = "echod stops";
    return end;
  }
  if (now.phase != "serving" || now.config.is_reload_in_progress) {
    return std::nullopt;
  }
  const UpgradeState& upgrades = now.upgrades;
  if (now.config.reloads_refused > order.reloads_refused && !now.config.reload_error.empty()) {
    const bool has_upgrade_ended =
        upgrades.refused > order.upgrades_refused || upgrades.failed > order.upgrades_failed;
    end.result = upgrades.failed > order.upgrades_failed ? Result::failed : Result::refused;
    end.error = has_upgrade_ended ? upgrades.last_error : now.config.reload_error;
  } else if (upgrades.done > order.upgrades_done) {
    end.result = Result::done;
    end.earlier_version = upgrades.earlier_version;
    end.connections = upgrades.last_connections;
    end.pause_s = upgrades.last_pause_s;
  } else if (now.config.reloads_applied > order.reloads_applied) {
    end.result = Result::applied;
  } else {
    return std::nullopt;
  }
  return end;
}

std::string upgrade_text(const UpgradeEnd& end) {
  constexpr double kNanosecondsPerSecond = 1e9;
  switch (end.result) {
    case Result::done: {
      const std::chrono::nanoseconds pause(std::llround(end.pause_s * kNanosecondsPerSecond));
      return "echod " + end.version + " has replaced echod " + end.earlier_version + ": " +
             client::count_text(end.connections) +
             (end.connections == 1 ? " connection" : " connections") + " went on after " +
             client::duration_text(pause);
    }
    case Result::applied:
      return "applied without an upgrade: neither the program nor a key that needs one has "
             "changed; "
             "--force upgrades in any case";
    case Result::refused:
    case Result::failed:
    case Result::stopped:
      break;
  }
  return std::string(name_of(end.result)) + ": " + end.error;
}

std::string upgrade_json(const UpgradeEnd& end) {
  return nlohmann::json{{"result", name_of(end.result)},
                        {"version", end.version},
                        {"earlier_version", end.earlier_version},
                        {"connections", end.connections},
                        {"pause_s", end.pause_s},
                        {"error", end.error}}
             .dump() +
         '\n';
}

}  // namespace echod::ctl
