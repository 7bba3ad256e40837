// Instances: validation against an effective class, merge patch, ids and references. Pure
// functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/ontology.h"

namespace saffron {

// Limits of client JSON: depth 32, no duplicate members, valid UTF-8, no NUL in strings, numbers
// that a double holds finitely. kInvalid with the reason (and where). `json` must be an object.
Status CheckClientJson(std::string_view json);
// The same JSON without white space outside of strings: one line, number text as received.
std::string MinifyJson(std::string_view json);

// Whole document: unknown property, wrong type, missing required (unless it has a default),
// constraints, references' shape. null is the value of no type: a member without value is left out.
// Relationships appear as members named by their predicate: one "Class/id" for 1:1 and n:1, an
// array of them for 1:n and n:m. Only the form of the class name is checked: whether it inherits
// from the target is not known here. At most 100 violations, each with a pointer to its member.
std::vector<Violation> ValidateDocument(const EffectiveClass& type, std::string_view document);
// A merge patch alone: unknown property, wrong type, null on a required one, change of a primary
// key.
std::vector<Violation> ValidatePatch(const EffectiveClass& type, std::string_view patch);
// Members that are absent and have a default get it. Other members keep their bytes and order.
std::string ApplyDefaults(const EffectiveClass& type, std::string_view document);

// RFC 7396. Members that the patch does not touch keep their bytes and order.
Result<std::string> MergePatch(std::string_view document, std::string_view patch);

// The primary key joined by '.', else data["{class lower-cased}_id"], else empty (the caller takes
// the command id). kInvalid, its message starting with "key_component: ", when a part is empty,
// contains '.' or is no scalar, or when only some of the parts are there.
Result<std::string> InstanceIdOf(const EffectiveClass& type, std::string_view document);

// Every reference of a document: relationship predicates and properties of type reference.
struct Reference {
  std::string predicate;
  std::string target_class;
  std::string target_id;
  friend auto operator<=>(const Reference&, const Reference&) = default;
};
// `document` is valid for the class; what is not a well-formed reference is left out.
std::vector<Reference> ReferencesOf(const EffectiveClass& type, std::string_view document);
// The same without a class: every string member (or array element) of the form "Class/id".
std::vector<Reference> ReferencesByShape(std::string_view document);

}  // namespace saffron
