#include "client/report/html_report.hpp"

#include "client/report/html_page.hpp"
#include "client/report/result_charts.hpp"
#include "client/report/run_lines.hpp"
#include "client/report/summary.hpp"
#include "client/text/figures.hpp"
#include "text/html_text.hpp"

namespace echod::client {

namespace {

std::string paragraph(const std::string& text) {
  return element("p", "soft", escaped_html(text));
}

// The word for the outcome, and its CSS class.
std::pair<std::string, std::string> verdict_word(const LoadResult& result, const Verdict& verdict) {
  if (!result.has_begun) {
    return {"did not begin", "bad"};
  }
  if (!verdict.has_passed()) {
    return {"failed", "bad"};
  }
  if (result.is_interrupted) {
    return {"interrupted", "middling"};
  }
  return {"passed", "good"};
}

std::string section(const std::string& name, const std::string& inside) {
  return element("section", "", element("h2", "", name) + inside);
}

std::string notes(const std::vector<std::string>& lines, const std::string& what,
                  const std::string& style) {
  std::string text;
  for (const std::string& line : lines) {
    text +=
        element("p", "note " + style, what + ": <span>" + escaped_html(one_line(line)) + "</span>");
  }
  return text;
}

std::string heading(const Options& options, const LoadResult& result,
                    const Environment& environment, const Verdict& verdict) {
  const auto& [word, style] = verdict_word(result, verdict);
  const std::string where = result.has_begun ? settings_line(options) : one_line(options.target);
  return element(
             "header", "",
             element("div", "",
                     element("h1", "", escaped_html(where)) +
                         paragraph("echoload " + environment.version + ", " + environment.time)) +
                 element("div", "verdict " + style, word)) +
         notes(verdict.failures, "Failed", "bad") + notes(verdict.warnings, "Warning", "middling");
}

std::string tile(const std::string& name, const std::string& value, const std::string& style = "") {
  return element("div", "tile",
                 element("div", "soft", escaped_html(name)) +
                     element("div", "value " + style, escaped_html(value)));
}

std::string tiles(const Options& options, const LoadResult& result) {
  const Tally& tally = result.tally;
  const bool is_stream = options.plan.mode == LoadMode::stream;
  std::string text;
  if (!is_stream) {
    text += tile(options.plan.mode == LoadMode::connect ? "cycles/s" : "echoes/s",
                 short_number_text(rate_of(result)));
    for (const Percentile& percentile : kReportedPercentiles) {
      const auto value = tally.latency.known_percentile(percentile.percent);
      const bool is_shown = percentile.percent != 90 && percentile.percent != 99.99;
      if (value && is_shown) {
        text += tile(std::string("latency ") + percentile.name, duration_text(*value));
      }
    }
  }
  text +=
      tile("received", number_text(per_second(tally.bytes_received, result) / kMega, 1) + " MB/s");
  if (options.plan.server.is_udp()) {
    const std::uint64_t lost = tally.datagrams.lost;
    text += tile("lost", count_text(lost), lost > 0 ? "bad" : "");
  }
  const std::uint64_t errors = tally.errors_in_all();
  return element("div", "tiles",
                 text + tile("errors", count_text(errors), errors > 0 ? "bad" : ""));
}

std::vector<std::string> latency_row(const std::string& name, const Histogram& histogram) {
  std::vector<std::string> row{name, count_text(histogram.count()), duration_text(histogram.min())};
  for (const Percentile& percentile : kReportedPercentiles) {
    const auto value = histogram.known_percentile(percentile.percent);
    row.push_back(value ? duration_text(*value) : std::string());
  }
  return row;
}

std::string latencies(const Tally& tally) {
  std::vector<std::vector<std::string>> rows{{"", "count", "min"}};
  for (const Percentile& percentile : kReportedPercentiles) {
    rows.front().emplace_back(percentile.name);
  }
  for (const auto& [name, histogram] :
       {std::pair{"latency", &tally.latency}, std::pair{"send lag", &tally.send_lag},
        std::pair{"receive lag", &tally.receive_lag}, std::pair{"outage", &tally.outage}}) {
    if (histogram->count() > 0) {
      rows.push_back(latency_row(name, *histogram));
    }
  }
  if (rows.size() == 1) {
    return "";
  }
  return section("Times", table(rows));
}

std::string errors_table(const Tally& tally) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (std::size_t i = 0; i < kLoadErrors; ++i) {
    if (tally.errors[i] > 0) {
      rows.emplace_back(name_of(static_cast<LoadError>(i)), count_text(tally.errors[i]));
    }
  }
  if (rows.empty()) {
    return "";
  }
  return section("Errors", pairs(rows));
}

std::string parameters(const Options& options, const Environment& environment) {
  const LoadPlan& plan = options.plan;
  std::string sources = plan.sources.empty() ? "chosen by the kernel" : "";
  for (const SocketAddress& source : plan.sources) {
    sources += (sources.empty() ? "" : ", ") + source.host();
  }
  std::vector<std::pair<std::string, std::string>> rows{
      {"target", one_line(options.target)},
      {"warm-up", duration_text(plan.warmup)},
      {"duration", duration_text(plan.duration)},
      {"timeout", duration_text(plan.timeout)},
      {"errors allowed", count_text(options.max_errors)},
      {"seed", std::to_string(plan.seed)},
      {"source addresses", sources},
      {"kernel", environment.kernel},
      {"CPUs of echoload", std::to_string(environment.cpus)}};
  for (const Limit& limit : options.limits) {
    rows.emplace_back("limit", limit.text);
  }
  return section("Parameters and environment", pairs(rows));
}

}  // namespace

std::string html_report(const Options& options, const LoadResult& result,
                        const Environment& environment, const Verdict& verdict) {
  const auto& [word, style] = verdict_word(result, verdict);
  std::string body = heading(options, result, environment, verdict);
  if (result.has_begun) {
    const std::string text = summary(options, result, environment, verdict);
    body += tiles(options, result) + charts(options, result, verdict) + latencies(result.tally) +
            errors_table(result.tally) +
            section("Summary", element("div", "wide", element("pre", "", escaped_html(text))));
  }
  return page("echoload, " + word + ": " + one_line(options.target),
              body + parameters(options, environment));
}

}  // namespace echod::client
