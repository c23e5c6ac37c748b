#include "client/echoctl/top_figures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "client/echoctl/overview.hpp"
#include "client/text/figures.hpp"

namespace echod::ctl {

namespace {

double accepted_per_s(const Status& before, const Listener& listener, double seconds) {
  const auto found = std::ranges::find(before.listeners, listener.address, &Listener::address);
  const std::uint64_t accepted = found == before.listeners.end() ? 0 : found->accepted;
  return static_cast<double>(growth(accepted, listener.accepted)) / seconds;
}

}  // namespace

TopFigures next_figures(const TopFigures* before, Status status, ConnectionList busiest) {
  TopFigures figures;
  if (before != nullptr) {
    figures.rates = rates_between(before->status, status);
  }
  if (figures.rates) {
    const double seconds = figures.rates->seconds;
    for (const Listener& listener : status.listeners) {
      figures.accepted.push_back(accepted_per_s(before->status, listener, seconds));
    }
    // After an upgrade, the new program may use the same ID for another connection.
    const bool is_same_program = before->status.program_started_at == status.program_started_at;
    const auto& known = before->busiest.connections;
    for (const Connection& one : busiest.connections) {
      if (const auto found = std::ranges::find(known, one.id, &Connection::id);
          is_same_program && found != known.end()) {
        figures.speeds[one.id] =
            static_cast<double>(growth(found->bytes_received, one.bytes_received)) / seconds;
      }
    }
  }
  figures.status = std::move(status);
  figures.busiest = std::move(busiest);
  return figures;
}

std::string speed_text(double bytes_per_s) {
  return size_text(static_cast<std::uint64_t>(std::llround(bytes_per_s)), Sizes::readable) + "/s";
}

std::string rate_text(const TopFigures& figures, double Rates::*rate) {
  return figures.rates ? client::short_number_text((*figures.rates).*rate) : "-";
}

std::string speed_text(const TopFigures& figures, double Rates::*rate) {
  return figures.rates ? speed_text((*figures.rates).*rate) : "-";
}

std::string delay_text(const TopFigures& figures, double share) {
  return figures.rates ? quantile_text(figures.rates->delays, share) : "-";
}

}  // namespace echod::ctl
