// What the graph looks like on a TerminusDB server: ids, documents, queries.
//
// One class of documents, "Node", for every aggregate of every ontology class: the server must
// never refuse what the domain accepted (docs/adr/0014). An id is "Node/" and the key with every
// byte but letters, digits, '.' and '-' as _XX, so that no character of it means anything to WOQL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/json_text.h"
#include "ports/graph_store.h"

namespace saffron::terminus {

inline constexpr std::string_view kFenceId = "Fence/writer";
inline constexpr std::string_view kPointerId = "Fence/live";  // in the database of the pointer

// For POST ?graph_type=schema&full_replace=true.
extern const std::string_view kSchema;

std::string IdOf(const AggregateKey& key);
std::optional<AggregateKey> KeyOf(std::string_view id);
AggregateKey TargetOf(const AggregateParts& from, const Reference& reference);

// Values that are looked up: a node has the group of its database, branch and class, and `live`
// while it is present.
std::string KindOf(AggregateType type);
std::string GroupOf(std::string_view db, std::string_view branch, std::string_view class_id);
std::string LiveOf(const LiveScope& scope, std::string_view class_id);

// The fence of a generation, in one string that a commit matches as a whole.
struct Fence {
  std::uint64_t epoch = 0;
  SinkPosition position;
  std::uint64_t ontology = 0;  // commits that wrote databases or classes
  std::uint64_t serial = 0;    // all commits
  std::string ToString() const;
  static std::optional<Fence> Parse(std::string_view text);
  friend bool operator==(const Fence&, const Fence&) = default;
};

// A document read back. Of a placeholder: version 0.
struct StoredNode {
  GraphNode node;
  std::string live;
};
Result<StoredNode> ParseNode(std::string_view document);
std::string IdOfDocument(std::string_view document);
// The member `state` of a fence.
std::optional<std::string> StateOfFence(std::string_view document);
std::string FenceDocument(std::string_view id, std::string_view state);

// A query in WOQL, written clause by clause; all of them must hold.
class Woql {
 public:
  Woql();
  // subject -predicate-> object; a subject or object starting with '?' is a variable.
  void Match(std::string_view subject, std::string_view predicate, std::string_view text);
  void MatchLink(std::string_view subject, std::string_view predicate, std::string_view object);

  enum class Mode { kInsert, kUpdate };
  void WriteFence(std::string_view id, std::string_view state);
  void WriteNode(Mode mode, std::string_view id, const GraphNode& node);
  void InsertPlaceholder(std::string_view id);

  // The body of a request. A query that writes says who did.
  std::string Finish() &&;

 private:
  void Clause(std::string_view type);
  void Begin(std::string_view mode, std::string_view id, std::string_view type);
  void Text(std::string_view field, std::string_view value);
  void Number(std::string_view field, std::uint64_t value);
  void End();

  std::string text_;
  bool first_ = true;
  bool writes_ = false;
};

}  // namespace saffron::terminus
