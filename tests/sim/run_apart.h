// One history in a process of its own: what aborts, or does not end, is a finding like any other.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace saffron {

struct HistoryResult {
  std::vector<std::string> violations;
  std::uint64_t trace_hash = 0;
};

// Runs `history` in a child of this process, for at most so long (of real time).
HistoryResult RunApart(const std::function<HistoryResult()>& history, int most_seconds);

// Which checker complains, in a few words, without what names a certain event: the first words of a
// violation, "I5: a second outcome of".
std::string CategoryOf(const std::string& violation);

}  // namespace saffron
