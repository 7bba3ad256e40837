#include "adapters/terminusdb/terminus_documents.h"

#include <charconv>
#include <set>
#include <utility>

namespace saffron::terminus {

const std::string_view kSchema =
    R"([{"@type":"@context","@base":"terminusdb:///data/","@schema":"terminusdb:///schema#"},)"
    R"({"@id":"Fence","@type":"Class","state":"xsd:string"},)"
    R"({"@id":"Node","@type":"Class","kind":"xsd:string","version":"xsd:integer",)"
    R"("group":{"@type":"Optional","@class":"xsd:string"},)"
    R"("live":{"@type":"Optional","@class":"xsd:string"},)"
    R"("facts":{"@type":"Optional","@class":"xsd:string"},)"
    R"("document":{"@type":"Optional","@class":"xsd:string"},)"
    R"("links":{"@type":"Set","@class":"Node"}}])";

namespace {

constexpr char kHex[] = "0123456789ABCDEF";
constexpr std::string_view kBase = "terminusdb:///data/";
constexpr std::string_view kNodePrefix = "Node/";
constexpr std::string_view kPlaceholder = "placeholder";

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-';
}

std::optional<int> HexDigit(char c) {
  const char* at = std::char_traits<char>::find(kHex, 16, c);
  if (at == nullptr) return std::nullopt;
  return static_cast<int>(at - kHex);
}

template <class Number>
bool ParseNumber(std::string_view text, Number& out) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failure == std::errc() && end == text.data() + text.size();
}

void AppendSigned(std::string& out, std::int64_t value) { out += std::to_string(value); }

// [lifecycle,incarnation,scope database,scope class,created,updated,predicate,class,id,...]
std::string FactsOf(const GraphNode& node) {
  std::string out = node.lifecycle == Lifecycle::kPresent ? "[1," : "[0,";
  for (SequenceNumber number : {node.incarnation, node.scope.database, node.scope.class_}) {
    json::AppendNumber(out, number.value);
    out.push_back(',');
  }
  AppendSigned(out, node.created_ms);
  out.push_back(',');
  AppendSigned(out, node.updated_ms);
  for (const Reference& reference : node.references) {
    for (std::string_view part :
         {std::string_view(reference.predicate), std::string_view(reference.target_class),
          std::string_view(reference.target_id)}) {
      out.push_back(',');
      json::AppendString(out, part);
    }
  }
  return out + "]";
}

bool ParseFacts(std::string_view text, GraphNode& node) {
  auto facts = json::ElementsOf(text);
  if (!facts || facts->size() < 6 || facts->size() % 3 != 0) return false;
  int present = 0;
  if (!ParseNumber((*facts)[0].raw, present) || present < 0 || present > 1 ||
      !ParseNumber((*facts)[1].raw, node.incarnation.value) ||
      !ParseNumber((*facts)[2].raw, node.scope.database.value) ||
      !ParseNumber((*facts)[3].raw, node.scope.class_.value) ||
      !ParseNumber((*facts)[4].raw, node.created_ms) ||
      !ParseNumber((*facts)[5].raw, node.updated_ms)) {
    return false;
  }
  node.references.clear();
  node.lifecycle = present != 0 ? Lifecycle::kPresent : Lifecycle::kAbsent;
  for (std::size_t i = 6; i < facts->size(); i += 3) {
    std::string parts[3];
    for (std::size_t k = 0; k < 3; ++k) {
      std::string scratch;
      if ((*facts)[i + k].kind != json::Kind::kString) return false;
      parts[k] = json::TextOf((*facts)[i + k], scratch);
    }
    node.references.push_back({std::move(parts[0]), std::move(parts[1]), std::move(parts[2])});
  }
  return true;
}

// Nothing: it is no string.
std::optional<std::string> TextOf(const json::Value& value) {
  if (value.kind != json::Kind::kString) return std::nullopt;
  std::string scratch;
  return std::string(json::TextOf(value, scratch));
}
bool TakeText(const json::Value& value, std::string& out) {
  std::optional<std::string> text = TextOf(value);
  if (text) out = std::move(*text);
  return text.has_value();
}

// Nothing: there is none, or it is no string.
std::optional<std::string> MemberText(std::string_view document, std::string_view name) {
  const auto members = json::MembersOf(document);
  for (const json::Member& member : members ? *members : std::vector<json::Member>()) {
    if (member.key.inner() == name) return TextOf(member.value);
  }
  return std::nullopt;
}

// The class and the scope of what is alive, as one text.
std::string LiveText(std::string_view group, SequenceNumber database, SequenceNumber class_) {
  return std::string(group) + " " + std::to_string(database.value) + "." +
         std::to_string(class_.value);
}

}  // namespace

std::string IdOf(const AggregateKey& key) {
  std::string id(kNodePrefix);
  id += std::to_string(static_cast<int>(key.type)) + ".";
  for (char c : key.id) {
    if (IsPlain(c)) {
      id.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      id += {'_', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return id;
}

std::optional<AggregateKey> KeyOf(std::string_view id) {
  if (id.starts_with(kBase)) id.remove_prefix(kBase.size());  // an id in full
  if (!id.starts_with(kNodePrefix)) return std::nullopt;
  id.remove_prefix(kNodePrefix.size());
  if (id.size() < 2 || id[1] != '.' || id[0] < '1' || id[0] > '4') return std::nullopt;
  AggregateKey key{static_cast<AggregateType>(id[0] - '0'), {}};
  for (std::size_t i = 2; i < id.size(); ++i) {
    if (id[i] != '_') {
      key.id.push_back(id[i]);
      continue;
    }
    if (i + 2 >= id.size()) return std::nullopt;
    const auto high = HexDigit(id[i + 1]), low = HexDigit(id[i + 2]);
    if (!high || !low) return std::nullopt;
    key.id.push_back(static_cast<char>(*high << 4 | *low));
    i += 2;
  }
  return key;
}

AggregateKey TargetOf(const AggregateParts& from, const Reference& reference) {
  return AggregateKey::Instance(from.db, from.branch, reference.target_class, reference.target_id);
}

std::string KindOf(AggregateType type) { return std::string(AggregateTypeName(type)); }

std::string GroupOf(std::string_view db, std::string_view branch, std::string_view class_id) {
  return AggregateKey::OntologyClass(db, branch, class_id).id;
}

std::string LiveOf(const LiveScope& scope, std::string_view class_id) {
  auto live = scope.classes.find(class_id);
  if (live == scope.classes.end()) return {};
  return LiveText(GroupOf(scope.db, scope.branch, class_id), scope.database, live->second);
}

std::string Fence::ToString() const {
  return std::to_string(epoch) + " " + std::to_string(position.slot.value) + " " +
         std::to_string(ontology) + " " + std::to_string(serial);
}

std::optional<Fence> Fence::Parse(std::string_view text) {
  const std::string_view whole = text;
  Fence fence;
  std::uint64_t* const parts[] = {&fence.epoch, &fence.position.slot.value, &fence.ontology,
                                  &fence.serial};
  for (std::uint64_t* part : parts) {
    const std::size_t space = std::min(text.find(' '), text.size());
    if (!ParseNumber(text.substr(0, space), *part)) return std::nullopt;
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  // A commit matches it as a whole: it has one text.
  if (!text.empty() || fence.ToString() != whole) return std::nullopt;
  return fence;
}

Result<StoredNode> ParseNode(std::string_view document) {
  const auto members = json::MembersOf(document);
  StoredNode stored;
  GraphNode& node = stored.node;
  bool has_key = false, has_version = false, has_facts = false;
  bool whole = members.has_value();
  for (const json::Member& member : whole ? *members : std::vector<json::Member>()) {
    const std::string_view name = member.key.inner();
    std::string text;
    if (name == "@id") {
      auto key = TakeText(member.value, text) ? KeyOf(text) : std::nullopt;
      has_key = key.has_value();
      whole = whole && has_key;
      if (key) node.key = std::move(*key);
    } else if (name == "version") {
      has_version = ParseNumber(member.value.raw, node.version.value);
      whole = whole && has_version;
    } else if (name == "live") {
      whole = TakeText(member.value, stored.live) && whole;
    } else if (name == "document") {
      whole = TakeText(member.value, node.document) && whole;
    } else if (name == "facts") {
      has_facts = TakeText(member.value, text) && ParseFacts(text, node);
      whole = whole && has_facts;
    }
  }
  // A placeholder has no facts.
  const bool complete = has_key && has_version && (has_facts || node.version == SequenceNumber());
  if (!whole || !complete) return Corrupt("TerminusDB: a node cannot be read back");
  return stored;
}

std::string IdOfDocument(std::string_view document) {
  return MemberText(document, "@id").value_or("");
}

std::optional<std::string> StateOfFence(std::string_view document) {
  return MemberText(document, "state");
}

std::string FenceDocument(std::string_view id, std::string_view state) {
  std::string out = R"({"@type":"Fence","@id":)";
  json::AppendString(out, id);
  out += R"(,"state":)";
  json::AppendString(out, state);
  return out + "}";
}

Woql::Woql() : text_(R"({"query":{"@type":"And","and":[)") {}

void Woql::Clause(std::string_view type) {
  if (!first_) text_.push_back(',');
  first_ = false;
  text_.append(R"({"@type":")").append(type).append("\"");
}

namespace {

void AppendTerm(std::string& out, std::string_view where, std::string_view type,
                std::string_view name) {
  const bool variable = name.starts_with('?');
  out.append(",\"").append(where).append(R"(":{"@type":")").append(type);
  out.append(variable ? R"(","variable":)" : R"(","node":)");
  json::AppendString(out, variable ? name.substr(1) : name);
  out.push_back('}');
}

}  // namespace

void Woql::Match(std::string_view subject, std::string_view predicate, std::string_view text) {
  Clause("Triple");
  AppendTerm(text_, "subject", "NodeValue", subject);
  AppendTerm(text_, "predicate", "NodeValue", predicate);
  text_ += R"(,"object":{"@type":"Value","data":{"@type":"xsd:string","@value":)";
  json::AppendString(text_, text);
  text_ += "}}}";
}

void Woql::MatchLink(std::string_view subject, std::string_view predicate,
                     std::string_view object) {
  Clause("Triple");
  AppendTerm(text_, "subject", "NodeValue", subject);
  AppendTerm(text_, "predicate", "NodeValue", predicate);
  AppendTerm(text_, "object", "Value", object);
  text_.push_back('}');
}

void Woql::Text(std::string_view field, std::string_view value) {
  text_.append(R"({"@type":"FieldValuePair","field":")").append(field);
  text_ += R"(","value":{"@type":"Value","data":{"@type":"xsd:string","@value":)";
  json::AppendString(text_, value);
  text_ += "}}},";
}

void Woql::Number(std::string_view field, std::uint64_t value) {
  text_.append(R"({"@type":"FieldValuePair","field":")").append(field);
  text_ += R"(","value":{"@type":"Value","data":{"@type":"xsd:integer","@value":)";
  json::AppendNumber(text_, value);
  text_ += "}}},";
}

void Woql::Begin(std::string_view mode, std::string_view id, std::string_view type) {
  writes_ = true;
  Clause(mode);
  text_ += R"(,"document":{"@type":"Value","dictionary":{"@type":"DictionaryTemplate","data":[)";
  Text("@type", type);
  Text("@id", id);
}

void Woql::End() {
  if (text_.back() == ',') text_.pop_back();
  text_ += "]}}}";
}

void Woql::WriteFence(std::string_view id, std::string_view state) {
  Begin("UpdateDocument", id, "Fence");
  Text("state", state);
  End();
}

void Woql::WriteNode(Mode mode, std::string_view id, const GraphNode& node) {
  Begin(mode == Mode::kInsert ? "InsertDocument" : "UpdateDocument", id, "Node");
  Text("kind", KindOf(node.key.type));
  Number("version", node.version.value);
  Text("facts", FactsOf(node));
  if (!node.document.empty()) Text("document", node.document);
  Result<AggregateParts> parts = SplitAggregateId(node.key);
  SAFFRON_ASSERT(parts.ok());  // a commit checks its keys first
  if (node.key.type == AggregateType::kInstance) {
    const std::string group = GroupOf(parts->db, parts->branch, parts->class_id);
    Text("group", group);
    if (node.lifecycle == Lifecycle::kPresent) {
      Text("live", LiveText(group, node.scope.database, node.scope.class_));
    }
  }
  std::set<std::string> links;
  for (const Reference& reference : node.references) {
    links.insert(IdOf(TargetOf(*parts, reference)));
  }
  if (!links.empty()) {
    text_ += R"({"@type":"FieldValuePair","field":"links","value":{"@type":"Value","list":[)";
    for (const std::string& link : links) {
      text_ += R"({"@type":"Value","node":)";
      json::AppendString(text_, link);
      text_ += "},";
    }
    text_.back() = ']';
    text_ += "}}";
  }
  End();
}

void Woql::InsertPlaceholder(std::string_view id) {
  Begin("InsertDocument", id, "Node");
  Text("kind", kPlaceholder);
  Number("version", 0);
  End();
}

std::string Woql::Finish() && {
  text_ += "]}";
  if (writes_) text_ += R"(,"commit_info":{"author":"saffron","message":"graph"})";
  return std::move(text_) + "}";
}

}  // namespace saffron::terminus
