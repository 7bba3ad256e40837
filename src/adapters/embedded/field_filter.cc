#include "adapters/embedded/field_filter.h"

#include <simdjson.h>

#include <algorithm>
#include <compare>
#include <optional>
#include <utility>

namespace saffron {

namespace {

namespace dom = simdjson::dom;
using Scalar = FieldFilters::Scalar;

std::optional<Scalar> ScalarOf(dom::element element) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE: return Scalar();
    case dom::element_type::BOOL: return Scalar(bool{element.get_bool().value_unsafe()});
    case dom::element_type::INT64: return Scalar(element.get_int64().value_unsafe());
    case dom::element_type::UINT64:
      return Scalar(static_cast<double>(element.get_uint64().value_unsafe()));
    case dom::element_type::DOUBLE: return Scalar(element.get_double().value_unsafe());
    case dom::element_type::STRING: return Scalar(std::string(element.get_string().value_unsafe()));
    default: return std::nullopt;
  }
}

bool IsNumber(const Scalar& value) {
  return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}

double NumberOf(const Scalar& value) {
  const auto* integer = std::get_if<std::int64_t>(&value);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value);
}

std::partial_ordering Compare(const Scalar& a, const Scalar& b) {
  if (a.index() == b.index()) return a <=> b;
  if (IsNumber(a) && IsNumber(b)) return NumberOf(a) <=> NumberOf(b);
  return std::partial_ordering::unordered;
}

bool HasOrder(const Scalar& value) {
  return IsNumber(value) || std::holds_alternative<std::string>(value);
}

std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool in_word =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) > 127;
    if (in_word) {
      word.push_back(c);
    } else {
      end_word();
    }
  }
  end_word();
  return words;
}

dom::parser& ThreadParser() {
  thread_local dom::parser parser;
  return parser;
}

}  // namespace

Result<FieldFilters> FieldFilters::Compile(const std::vector<FieldFilter>& filters) {
  FieldFilters compiled;
  for (const FieldFilter& filter : filters) {
    const std::string name = "filter on '" + filter.field + "'";
    if (filter.op == FilterOp::kIn ? filter.values.empty() : filter.values.size() != 1) {
      return Invalid(name + ": wrong number of values");
    }
    Filter added{filter.field, filter.op, {}, {}};
    for (const std::string& json : filter.values) {
      dom::element element;
      if (ThreadParser().parse(json).get(element) != simdjson::SUCCESS) {
        return Invalid(name + ": not a JSON value");
      }
      std::optional<Scalar> value = ScalarOf(element);
      if (!value) return Invalid(name + ": neither string, number, boolean nor null");
      added.values.push_back(std::move(*value));
    }
    const auto* text = std::get_if<std::string>(&added.values.front());
    if (filter.op == FilterOp::kPrefix || filter.op == FilterOp::kMatch) {
      if (text == nullptr) return Invalid(name + ": needs a string");
      if (filter.op == FilterOp::kMatch) added.words = WordsOf(*text);
    } else if (filter.op != FilterOp::kEq && filter.op != FilterOp::kNe &&
               filter.op != FilterOp::kIn && !HasOrder(added.values.front())) {
      return Invalid(name + ": needs a number or a string");
    }
    compiled.filters_.push_back(std::move(added));
  }
  return compiled;
}

bool FieldFilters::MatchOne(const Filter& filter, const Scalar& value) {
  const Scalar& wanted = filter.values.front();
  const std::partial_ordering order = Compare(value, wanted);
  switch (filter.op) {
    case FilterOp::kEq:
    case FilterOp::kNe: return order == 0;  // of kNe: the caller negates
    case FilterOp::kGt: return HasOrder(value) && order > 0;
    case FilterOp::kGte: return HasOrder(value) && order >= 0;
    case FilterOp::kLt: return HasOrder(value) && order < 0;
    case FilterOp::kLte: return HasOrder(value) && order <= 0;
    case FilterOp::kIn:
      return std::any_of(filter.values.begin(), filter.values.end(),
                         [&](const Scalar& one) { return Compare(value, one) == 0; });
    case FilterOp::kPrefix: {
      const auto* text = std::get_if<std::string>(&value);
      return text != nullptr && text->starts_with(std::get<std::string>(wanted));
    }
    case FilterOp::kMatch: {
      const auto* text = std::get_if<std::string>(&value);
      if (text == nullptr) return false;
      const std::vector<std::string> words = WordsOf(*text);
      return std::all_of(filter.words.begin(), filter.words.end(), [&](const std::string& word) {
        return std::find(words.begin(), words.end(), word) != words.end();
      });
    }
  }
  return false;
}

bool FieldFilters::Match(std::string_view document) const {
  if (filters_.empty()) return true;
  dom::object object;
  if (ThreadParser().parse(document.data(), document.size()).get(object) != simdjson::SUCCESS) {
    return false;
  }
  for (const Filter& filter : filters_) {
    bool matches = false;
    dom::element member;
    dom::array elements;
    if (object.at_key(filter.field).get(member) == simdjson::SUCCESS) {
      if (std::optional<Scalar> value = ScalarOf(member)) {
        matches = MatchOne(filter, *value);
      } else if (member.get(elements) == simdjson::SUCCESS) {
        for (dom::element element : elements) {
          std::optional<Scalar> one = ScalarOf(element);
          matches = matches || (one && MatchOne(filter, *one));
        }
      }
    }
    if (matches == (filter.op == FilterOp::kNe)) return false;
  }
  return true;
}

}  // namespace saffron
