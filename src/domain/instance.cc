#include "domain/instance.h"

#include <algorithm>

#include "domain/json_text.h"
#include "domain/value_check.h"

namespace saffron {
namespace {

using json::Kind;
using json::Member;
using json::Value;

std::string TextOfKey(const Member& member) {
  std::string scratch;
  return std::string(json::TextOf(member.key, scratch));
}

const Value* Find(const std::vector<Member>& members, std::string_view name) {
  std::string scratch;
  for (const Member& member : members) {
    if (json::TextOf(member.key, scratch) == name) return &member.value;
  }
  return nullptr;
}

// The members of a patch, found by name in logarithmic time: a client may send very many.
class PatchIndex {
 public:
  explicit PatchIndex(const std::vector<Member>& members) {
    for (std::size_t i = 0; i < members.size(); ++i) names_.push_back({TextOfKey(members[i]), i});
    std::sort(names_.begin(), names_.end());
  }
  // npos when there is none.
  std::size_t Find(const std::string& name) const {
    auto found = std::lower_bound(names_.begin(), names_.end(), std::pair{name, std::size_t{0}});
    return found != names_.end() && found->first == name ? found->second : kNone;
  }
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

 private:
  std::vector<std::pair<std::string, std::size_t>> names_;
};

bool AppendMerged(std::string& out, std::string_view target, std::string_view patch);

// The value of a member after the patch.
bool AppendPatched(std::string& out, std::string_view old, const Value& patch) {
  if (patch.kind == Kind::kObject) return AppendMerged(out, old, patch.raw);
  out.append(patch.raw);
  return true;
}

// RFC 7396, section 2. A target that is no object (or empty) counts as {}.
bool AppendMerged(std::string& out, std::string_view target, std::string_view patch) {
  auto changes = json::MembersOf(patch);
  if (!changes) return false;
  std::vector<Member> members;
  if (target.starts_with('{')) {
    auto read = json::MembersOf(target);
    if (!read) return false;
    members = std::move(*read);
  }
  PatchIndex index(*changes);
  std::vector<bool> used(changes->size(), false);
  out.push_back('{');
  bool first = true;
  auto key = [&](const Member& member) {
    if (!first) out.push_back(',');
    first = false;
    out.append(member.key.raw).push_back(':');
  };
  for (const Member& member : members) {
    std::size_t change = index.Find(TextOfKey(member));
    if (change == PatchIndex::kNone) {
      key(member);
      out.append(member.value.raw);
      continue;
    }
    used[change] = true;
    const Value& value = (*changes)[change].value;
    if (value.kind == Kind::kNull) continue;
    key(member);
    if (!AppendPatched(out, member.value.raw, value)) return false;
  }
  for (std::size_t i = 0; i < changes->size(); ++i) {
    const Member& change = (*changes)[i];
    if (used[i] || change.value.kind == Kind::kNull) continue;
    key(change);
    if (!AppendPatched(out, {}, change.value)) return false;
  }
  out.push_back('}');
  return true;
}

Error BadKey(std::string_view name, std::string_view problem) {
  std::string message = "key_component: ";
  return Invalid(message.append(name).append(" ").append(problem));
}

// The text of a scalar as it stands in an id.
Result<std::string> KeyText(std::string_view name, const Value& value) {
  std::string scratch;
  switch (value.kind) {
    case Kind::kString: {
      std::string text(json::TextOf(value, scratch));
      if (text.empty()) return BadKey(name, "is empty");
      return text;
    }
    case Kind::kNumber:
    case Kind::kTrue:
    case Kind::kFalse: return std::string(value.raw);
    default: return BadKey(name, "is not a scalar");
  }
}

std::string FallbackKeyName(std::string_view class_id) {
  std::string name;
  for (char c : class_id) name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  return name + "_id";
}

void AddReference(std::string_view predicate, const Value& value, std::vector<Reference>& out) {
  if (value.kind == Kind::kArray) {
    auto elements = json::ElementsOf(value.raw);
    if (!elements) return;
    for (const Value& element : *elements) {
      if (element.kind == Kind::kString) AddReference(predicate, element, out);
    }
    return;
  }
  if (value.kind != Kind::kString) return;
  std::string scratch;
  auto parts = SplitReference(json::TextOf(value, scratch));
  if (!parts) return;
  out.push_back(
      {std::string(predicate), std::string(parts->target_class), std::string(parts->target_id)});
}

template <class Wanted>
std::vector<Reference> CollectReferences(std::string_view document, Wanted wanted) {
  std::vector<Reference> references;
  auto members = json::MembersOf(document);
  if (!members) return references;
  for (const Member& member : *members) {
    std::string name = TextOfKey(member);
    if (wanted(name)) AddReference(name, member.value, references);
  }
  return references;
}

}  // namespace

std::string ApplyDefaults(const EffectiveClass& type, std::string_view document) {
  auto members = json::MembersOf(document);
  if (!members) return std::string(document);
  std::string out(document.substr(0, document.rfind('}')));
  bool first = members->empty();
  for (const Property& property : type.properties) {
    if (property.default_value.empty() || Find(*members, property.name) != nullptr) continue;
    if (!first) out.push_back(',');
    first = false;
    json::AppendString(out, property.name);
    out.append(":").append(property.default_value);
  }
  out.append(document.substr(document.rfind('}')));
  return out;
}

Result<std::string> MergePatch(std::string_view document, std::string_view patch) {
  std::string out;
  out.reserve(document.size() + patch.size());
  if (!document.starts_with('{') || !AppendMerged(out, document, patch)) {
    return Invalid("a merge patch and what it changes are JSON objects");
  }
  return out;
}

Result<std::string> InstanceIdOf(const EffectiveClass& type, std::string_view document) {
  auto members = json::MembersOf(document);
  if (!members) return Invalid("a document is a JSON object");
  std::string id;
  std::size_t found = 0;
  for (const std::string& name : type.primary_key) {
    const Value* value = Find(*members, name);
    if (value == nullptr) continue;
    SAFFRON_ASSIGN(std::string part, KeyText(name, *value));
    if (part.find('.') != std::string::npos) return BadKey(name, "contains '.'");
    if (found++ > 0) id.push_back('.');
    id.append(part);
  }
  if (found > 0 && found < type.primary_key.size()) {
    return BadKey("the primary key", "is there only in part");
  }
  if (found > 0) return id;
  std::string name = FallbackKeyName(type.id);
  const Value* value = Find(*members, name);
  if (value == nullptr) return std::string();
  return KeyText(name, *value);
}

std::vector<Reference> ReferencesOf(const EffectiveClass& type, std::string_view document) {
  return CollectReferences(document, [&type](std::string_view name) {
    const Property* property = type.FindProperty(name);
    if (property != nullptr) return property->type == PropertyType::kReference;
    return type.FindRelationship(name) != nullptr;
  });
}

std::vector<Reference> ReferencesByShape(std::string_view document) {
  return CollectReferences(document, [](std::string_view) { return true; });
}

}  // namespace saffron
