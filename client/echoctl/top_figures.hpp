// What `echoctl top` knows of echod, from its last two answers.
// Thread-safety: plain values, stateless functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/echoctl/rates.hpp"
#include "client/echoctl/status.hpp"

namespace echod::ctl {

struct TopFigures {
  Status status;
  std::optional<Rates> rates;    // Empty before the second answer, and after a restart of echod.
  std::vector<double> accepted;  // By listener, per second; empty like `rates`.
  ConnectionList busiest;
  // Bytes that echod received per second from a connection, by its id. It has only connections that
  // the previous list had too.
  std::map<std::string, double> speeds;
  std::string problem;  // Why the figures are old; empty if they are not.
};

// The figures after `before`, from two new answers.
[[nodiscard]] TopFigures next_figures(const TopFigures* before, Status status,
                                      ConnectionList busiest);

// The figures as text; "-" while there are no rates.
[[nodiscard]] std::string rate_text(const TopFigures& figures, double Rates::*rate);  // "12.5"
[[nodiscard]] std::string speed_text(const TopFigures& figures,
                                     double Rates::*rate);                      // "1.5 MiB/s"
[[nodiscard]] std::string delay_text(const TopFigures& figures, double share);  // "18 us"
[[nodiscard]] std::string speed_text(double bytes_per_s);

}  // namespace echod::ctl
