#include "client/load/answer_check.hpp"

#include <algorithm>

#include "client/stream/keyed_stream.hpp"

namespace echod::client {

std::size_t AnswerCheck::count_right(std::span<const std::byte> bytes) const noexcept {
  const auto owed = std::min<std::uint64_t>(bytes.size(), counts_.owed_bytes());
  return KeyedStream(counts_.connection(), plan_.seed)
      .count_matching(bytes.first(owed), counts_.received());
}

void AnswerCheck::keep_evidence(std::span<const std::byte> bytes) noexcept {
  if (!evidence_) {
    evidence_ = std::make_unique<std::vector<std::byte>>();
  }
  const auto kept = bytes.first(std::min(bytes.size(), kEvidenceBytes - evidence_->size()));
  evidence_->insert(evidence_->end(), kept.begin(), kept.end());
}

bool AnswerCheck::has_enough() const noexcept {
  return evidence_ && evidence_->size() >= evidence_bytes_needed(counts_.owed_bytes());
}

Fault AnswerCheck::take_fault() noexcept {
  const Fault fault = identify({.connection = counts_.connection(),
                                .offset = counts_.received(),
                                .sent = counts_.sent(),
                                .bytes = *evidence_},
                               plan_.connections, plan_.seed);
  evidence_.reset();
  return fault;
}

}  // namespace echod::client
