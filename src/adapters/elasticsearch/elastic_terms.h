// What a document is found by, as terms whose order by bytes is the order of the domain: no value
// is of a type that the engine could refuse, and names are fields only as far as it bears them.
//
// A scalar that a property is, or has as an element, is the keyword
//   1t 1f    true or false
//   2NUMBER  a number: the bits of the double, so turned that they sort, as digits; from 2^53 on
//            followed by "f" (was no integer) or "w" and the bits of the integer, because integers
//            are compared exactly and doubles are not
//   3TEXT    a string. Beyond kLongestText bytes it is cut there (between characters) and its hash
//            appended: it is found whole, and by its first bytes. The engine's bound is 32,766
//            bytes of a term, and 1,000 of the ends of a range
// in the field `property.NAME`, its column; or, of a property without one, in `values` with "NAME="
// before it.
// `words`, one text of words with spaces between them, each at most 255 units long for the engine:
//   word~name        a word of the property, at any depth; cut as above at kLongestWord bytes
//   =name            the property is there and not null
// Stored indexes depend on it: a change is a new format.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/embedded/search_query.h"
#include "domain/json_text.h"

namespace saffron::elastic {

inline constexpr std::size_t kLongestText = 800;
inline constexpr std::size_t kLongestWord = 120;

// "name" as it stands before the sign: itself, where an ontology allows it, else a hash.
std::string TermName(std::string_view property);
// Cut, with or without the hash: the latter to look for what begins with it.
std::string Bounded(std::string_view text, std::size_t longest);
std::string BoundedPrefix(std::string_view text, std::size_t longest);

// A number as a key, and how it lies among the others: every equal key is in [low, high), and when
// `exact` is set only `key` itself and `low`+"f" are equal to it.
struct NumberKey {
  std::string low, high, key;
  bool exact = false;
};
NumberKey KeyOf(const Scalar& number);

// What stands after "name=": kind and value.
std::string ScalarKey(const Scalar& scalar);

// One property of a document as it is indexed.
struct IndexedProperty {
  std::string_view name;            // as the document has it; lives until the next call
  std::vector<std::string> values;  // scalar keys
  std::string words;                // with a space after each
  std::string least, greatest;      // scalar keys to sort by; empty: none
};
// Calls `visit` for each property of a JSON object that is not null; the last of a name counts.
void ForEachProperty(std::string_view document,
                     const std::function<void(const IndexedProperty&)>& visit);

}  // namespace saffron::elastic
