#include "client/echoctl/upgrade_command.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "client/echoctl/admin_request.hpp"
#include "client/echoctl/exit_codes.hpp"
#include "client/echoctl/requests.hpp"
#include "client/echoctl/upgrade_end.hpp"
#include "client/text/figures.hpp"
#include "sys/clock.hpp"
#include "sys/wait_ready.hpp"

namespace echod::ctl {

namespace {

// Requests within kUpgradeTime. The new program cuts the connections of the old one to the admin
// socket, so a request without an answer is repeated.
class PatientClient {
 public:
  explicit PatientClient(const Options& options) : options_(options) {}

  [[nodiscard]] std::string answer(const Request& request) {
    for (;;) {
      try {
        return accepted_body(ask({.path = options_.socket, .timeout = time_for_request()},
                                 request.method, request.target));
      } catch (const FatalError& error) {
        if (error.code() != ExitCode::unavailable) {
          throw;
        }
        problem_ = error.what();
      }
      wait();
    }
  }

  // Waits before the next request. Throws FatalError if the time is over.
  void wait() const {
    constexpr std::chrono::milliseconds kInterval{50};
    const sys::TimePoint now = sys::MonotonicClock::now();
    if (now >= deadline_) {
      throw FatalError(ExitCode::unavailable,
                       "echod did not say within " + client::duration_text(kUpgradeTime) +
                           " how the upgrade ended" + (problem_.empty() ? "" : ": " + problem_));
    }
    (void)sys::wait_ready({}, std::min(deadline_, now + kInterval));
  }

 private:
  [[nodiscard]] sys::Duration time_for_request() const {
    constexpr sys::Duration kLeast = std::chrono::milliseconds(1);
    const sys::Duration left = deadline_ - sys::MonotonicClock::now();
    return std::max(kLeast, std::min<sys::Duration>(options_.timeout, left));
  }

  const Options& options_;
  sys::TimePoint deadline_ = sys::MonotonicClock::now() + kUpgradeTime;
  std::string problem_;  // Why the last unanswered request failed.
};

// Fails soon if echod does not run. Tries twice, because the upgrade of another operator may cut
// the first answer.
void require_running(const Options& options) {
  const auto try_once = [&options] {
    (void)accepted_body(
        ask({.path = options.socket, .timeout = options.timeout}, "GET", kStatusTarget));
  };
  try {
    try_once();
  } catch (const FatalError& error) {
    if (error.code() != ExitCode::unavailable) {
      throw;
    }
    try_once();
  }
}

Outcome outcome_of_upgrade(const Options& options, const UpgradeEnd& end) {
  Outcome outcome{.text = {}, .warning = {}};
  if (options.wants_json) {
    outcome.text = upgrade_json(end);
  } else {
    (end.is_good() ? outcome.text : outcome.warning) = upgrade_text(end);
    outcome.text += end.is_good() ? "\n" : "";
  }
  outcome.code = end.is_good() ? ExitCode::success : ExitCode::refused;
  return outcome;
}

}  // namespace

Outcome run_upgrade(const Options& options) {
  require_running(options);
  PatientClient client(options);
  const UpgradeOrder order = parse_upgrade_order(client.answer(request_for(options)));
  for (;;) {
    const Status status = parse_status(client.answer({.method = "GET", .target = kStatusTarget}));
    if (const std::optional<UpgradeEnd> end = upgrade_end(order, status)) {
      return outcome_of_upgrade(options, *end);
    }
    client.wait();
  }
}

}  // namespace echod::ctl
