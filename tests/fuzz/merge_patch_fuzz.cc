// RFC 7396 on bytes against the RFC's own words on a tree. Input: document, patch.
#include "domain/instance.h"
#include "tests/fuzz/properties.h"
#include "tests/fuzz/reference_json.h"

namespace saffron::fuzz {

void FuzzMergePatch(std::string_view bytes) {
  const auto parts = SplitParts(bytes, 2);
  // Of what is no client JSON only that it does no harm.
  (void)MergePatch(parts[0], parts[1]);
  if (!CheckClientJson(parts[0]).ok() || !CheckClientJson(parts[1]).ok()) return;
  const std::string document = MinifyJson(parts[0]), patch = MinifyJson(parts[1]);
  const auto merged = MergePatch(document, patch);
  Require(merged.ok(), "two objects merge");
  Require(CheckClientJson(*merged).ok(), "a merged document is client JSON");
  const JsonNode expected = Merged(*ReadJson(document), *ReadJson(patch));
  Require(Sorted(*ReadJson(*merged)) == Sorted(expected), "merged as RFC 7396 says");
  const auto again = MergePatch(*merged, patch);
  Require(again.ok() && *again == *merged, "the same patch again changes nothing");
  const auto untouched = MergePatch(document, "{}");
  Require(untouched.ok() && *untouched == document, "what is not patched keeps its bytes");
}

}  // namespace saffron::fuzz
