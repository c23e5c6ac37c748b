// The JSON names of the histograms and counts in Tally. run_record.cpp reads all of them by these
// names. json_report.cpp uses only those of the histograms: it writes the counts in an order of its
// own, so it repeats their names.
// Thread-safety: only constants.
#pragma once

#include <array>
#include <cstdint>

#include "client/load/tally.hpp"

namespace echod::client {

struct HistogramName {
  const char* name;  // Below "histograms".
  Histogram Tally::*member;
};
inline constexpr std::array kHistogramNames{
    HistogramName{"latency_ns", &Tally::latency},
    HistogramName{"connect_ns", &Tally::connect},
    HistogramName{"first_byte_ns", &Tally::first_byte},
    HistogramName{"send_lag_ns", &Tally::send_lag},
    HistogramName{"receive_lag_ns", &Tally::receive_lag},
    HistogramName{"round_trip_ns", &Tally::round_trip},
    HistogramName{"outage_ns", &Tally::outage},
};

inline constexpr const char* kStepHistograms = "steps_latency_ns";  // Below "histograms"; an array.

struct CountName {
  const char* pointer;  // RFC 6901.
  std::uint64_t Tally::*member;
};
inline constexpr std::array kCountNames{
    CountName{"/echoes", &Tally::echoes},
    CountName{"/bytes_sent", &Tally::bytes_sent},
    CountName{"/bytes_received", &Tally::bytes_received},
    CountName{"/not_sent", &Tally::not_sent},
    CountName{"/tcp/retransmissions", &Tally::retransmissions},
    CountName{"/lost_connections/lost", &Tally::lost},
    CountName{"/lost_connections/messages_unconnected", &Tally::due_while_lost},
};

struct DatagramCountName {
  const char* name;  // Below "datagrams".
  std::uint64_t DatagramCounts::*member;
};
inline constexpr std::array kDatagramCountNames{
    DatagramCountName{"sent", &DatagramCounts::sent},
    DatagramCountName{"lost", &DatagramCounts::lost},
    DatagramCountName{"late", &DatagramCounts::late},
    DatagramCountName{"duplicated", &DatagramCounts::duplicated},
    DatagramCountName{"reordered", &DatagramCounts::reordered},
    DatagramCountName{"dropped_here", &DatagramCounts::dropped_here},
    DatagramCountName{"split_bursts", &DatagramCounts::split_bursts},
};

}  // namespace echod::client
