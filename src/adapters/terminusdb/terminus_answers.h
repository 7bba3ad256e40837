// What a TerminusDB server's answers say. Pure: whatever bytes come, it is an error at most.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace saffron::terminus {

// "InsertDocument..." of {"api:error":{"@type":"api:InsertDocument..."}}; empty: none was sent.
std::string ErrorTypeOf(std::string_view body);
// What it says in words, cut; empty: nothing.
std::string MessageOf(std::string_view body);

// Of an answer to WOQL: the rows, by variable the short id.
struct Bindings {
  std::size_t count = 0;
  std::vector<std::pair<std::string, std::string>> pairs;  // of the two variables asked for
};
// kUnavailable: not understood.
Result<Bindings> ParseBindings(std::string_view body, std::string_view first,
                               std::string_view second);

// The documents of a list, as they stand in the body; nothing: it is no list.
std::optional<std::vector<std::string_view>> ParseDocumentList(std::string_view body);
// A generation's number, from 1; nothing: the text is none.
std::optional<std::uint64_t> ParseGeneration(std::string_view text);
// Of a list of databases, those whose path is `prefix` and the number of a generation; nothing: it
// is no list.
std::optional<std::vector<std::uint64_t>> ParseGenerations(std::string_view body,
                                                           std::string_view prefix);

}  // namespace saffron::terminus
