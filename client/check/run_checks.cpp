#include "client/check/run_checks.hpp"

#include <algorithm>
#include <array>
#include <exception>

#include "client/check/check_context.hpp"
#include "client/check/check_peer.hpp"
#include "client/check/checks.hpp"

namespace echod::client {

namespace {

CheckResult result_of(const Check& check, CheckVerdict verdict, const std::string& reason) {
  return {.name = std::string(check.name), .verdict = verdict, .figure = "", .reason = reason};
}

// A check for which the client lacks resources is skipped: that says nothing about the server, and
// other checks may need less.
CheckResult run(const Check& check, CheckContext& context) {
  context.trace("check: " + std::string(check.name));
  try {
    const Finding finding = check.run(context);
    return {.name = std::string(check.name),
            .verdict = finding.verdict,
            .figure = finding.figure,
            .reason = finding.reason};
  } catch (const CannotConnect&) {
    throw;
  } catch (const CheckFailure& failure) {
    return result_of(check, CheckVerdict::fail, failure.what());
  } catch (const std::exception& shortage) {
    return result_of(check, CheckVerdict::skip, shortage.what());
  }
}

}  // namespace

std::string_view name_of(CheckVerdict verdict) noexcept {
  constexpr std::array<std::string_view, 4> kNames{"pass", "fail", "skip", "note"};
  return kNames[static_cast<std::size_t>(verdict)];
}

bool have_passed(const std::vector<CheckResult>& results) noexcept {
  return std::all_of(results.begin(), results.end(), [](const CheckResult& result) {
    return result.verdict == CheckVerdict::pass || result.verdict == CheckVerdict::note;
  });
}

std::vector<CheckResult> run_checks(const CheckPlan& plan,
                                    const std::function<void(const CheckResult&)>& on_result) {
  CheckContext context(plan);
  std::vector<CheckResult> results;
  bool is_reachable = true;
  for (const Check& check : all_checks(plan.server.transport())) {
    try {
      results.push_back(is_reachable
                            ? run(check, context)
                            : result_of(check, CheckVerdict::skip, "no connection to check"));
    } catch (const CannotConnect& failure) {
      is_reachable = !results.empty();
      results.push_back(result_of(check, CheckVerdict::fail, failure.what()));
    }
    if (on_result) {
      on_result(results.back());
    }
  }
  return results;
}

}  // namespace echod::client
