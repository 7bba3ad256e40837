// The short texts: percent encoding, query strings, host:port, paths, ids and keys.
#include "net/url.h"

#include "domain/names.h"
#include "eventlog/slot.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/requests.h"

namespace saffron::fuzz {
namespace {

void CheckEncoding(std::string_view bytes) {
  for (const std::string& encoded : {PercentEncode(bytes), PercentEncodePath(bytes)}) {
    const auto decoded = PercentDecode(encoded);
    Require(decoded && *decoded == bytes, "what was encoded is decoded");
  }
  const auto decoded = PercentDecode(bytes);
  if (!decoded) return Require(bytes.find('%') != std::string_view::npos, "only '%' can be wrong");
  Require(decoded->size() <= bytes.size(), "decoding does not add");
  Require(PercentDecode(PercentEncode(*decoded)) == decoded, "decoded text is encoded again");
}

void CheckQuery(std::string_view bytes) {
  const auto params = ParseQuery(bytes);
  if (!params) return Require(bytes.find('%') != std::string_view::npos, "only '%' can be wrong");
  std::string written;
  for (const auto& [name, value] : *params) {
    if (!written.empty()) written.push_back('&');
    written.append(PercentEncode(name)).append("=").append(PercentEncode(value));
  }
  Require(ParseQuery(written) == params, "a query comes back as it was");
}

void CheckHostPort(std::string_view bytes) {
  const auto address = ParseHostPort(bytes);
  if (!address.ok()) return Require(address.Is(Code::kInvalid), "a bad address is invalid");
  const auto again = ParseHostPort(address->ToString());
  Require(again.ok() && *again == *address, "an address comes back as it was");
}

void CheckPath(std::string_view bytes) {
  const Router& router = ApiRoutes();
  for (const std::string_view method : {"GET", "POST", "PUT", "DELETE", "HEAD", ""}) {
    const RouteMatch match = router.Match(method, bytes);
    if (match.outcome != RouteMatch::Outcome::kFound) continue;
    Require(match.route < router.routes().size(), "a match is a route");
    std::string path = router.routes()[match.route].pattern;
    for (const auto& [name, value] : match.params) {
      const std::string hole = "{" + std::string(name) + "}";
      Require(!value.empty() && path.find(hole) != std::string::npos, "a parameter is the route's");
      path.replace(path.find(hole), hole.size(), PercentEncode(value));
    }
    const RouteMatch again = router.Match(method, path);
    Require(again.outcome == match.outcome && again.route == match.route, "a path comes back");
    Require(again.params == match.params, "its parameters come back");
  }
}

void CheckIds(std::string_view bytes) {
  if (const auto uuid = Uuid::Parse(bytes)) {
    Require(Uuid::Parse(uuid->ToString()) == uuid, "a UUID comes back");
  }
  if (const auto position = Position::Parse(bytes)) {
    Require(position->ToString() == bytes, "a position has one text");
  }
  if (const auto slot = SlotOfKey(0, bytes)) {
    Require(SlotKey(0, *slot) == bytes, "a slot has one key");
  }
  if (const auto type = EventType::Parse(bytes)) {
    Require(type->Name() == bytes, "an event type has one name");
  }
}

void CheckAggregateId(AggregateType type, std::string_view bytes) {
  const AggregateKey key{type, std::string(bytes)};
  const auto parts = SplitAggregateId(key);
  if (!parts.ok()) return;
  const auto& [db, branch, class_id, instance] = *parts;
  std::string joined(db);
  for (const std::string_view part : {branch, class_id, instance}) {
    if (!part.empty()) joined.append(":").append(part);
  }
  Require(joined == bytes, "an aggregate's id is joined again");
}

}  // namespace

void FuzzUrl(std::string_view bytes) {
  CheckEncoding(bytes);
  CheckQuery(bytes);
  CheckHostPort(bytes);
  CheckPath(bytes);
  CheckIds(bytes);
  for (auto type : {AggregateType::kDatabase, AggregateType::kOntologyClass,
                    AggregateType::kInstance, AggregateType::kOntologyHead}) {
    CheckAggregateId(type, bytes);
  }
}

}  // namespace saffron::fuzz
