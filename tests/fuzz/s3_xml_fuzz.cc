// The XML answers of S3: listings, errors, versioning.
#include "adapters/s3/s3_xml.h"

#include "net/url.h"
#include "tests/fuzz/properties.h"

namespace saffron::fuzz {
namespace {

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != '<' && c != '&' && c != '>';
    if (plain) {
      escaped.push_back(c);
    } else {
      escaped.append("&#").append(std::to_string(static_cast<unsigned char>(c))).append(";");
    }
  }
  return escaped;
}

std::string Written(const XmlElement& element) {
  std::string text = "<" + element.name + ">" + Escaped(element.text);
  for (const XmlElement& child : element.children) text += Written(child);
  return text + "</" + element.name + ">";
}

bool Same(const XmlElement& a, const XmlElement& b) {
  bool same = a.name == b.name && a.text == b.text && a.children.size() == b.children.size();
  for (std::size_t i = 0; same && i < a.children.size(); ++i) {
    same = Same(a.children[i], b.children[i]);
  }
  return same;
}

void CheckListing(std::string_view bytes) {
  const auto listing = ParseS3Listing(bytes);
  if (!listing.ok()) return Require(listing.Is(Code::kCorrupt), "what is refused is corrupt");
  std::string written = std::string("<ListBucketResult><IsTruncated>") +
                        (listing->truncated ? "true" : "false") +
                        "</IsTruncated><EncodingType>url</EncodingType>";
  for (const std::string& key : listing->keys) {
    Require(!key.empty(), "a key is not empty");
    written += "<Contents><Key>" + PercentEncode(key) + "</Key></Contents>";
  }
  const auto again = ParseS3Listing(written + "</ListBucketResult>");
  Require(again.ok() && again->keys == listing->keys && again->truncated == listing->truncated,
          "a listing comes back");
}

}  // namespace

void FuzzS3Xml(std::string_view bytes) {
  const auto element = ParseXml(bytes);
  if (element.ok()) {
    const auto again = ParseXml(Written(*element));
    Require(again.ok() && Same(*element, *again), "an element comes back");
  }
  CheckListing(bytes);
  const S3ErrorAnswer error = ParseS3Error(bytes);
  Require(PlainS3Name(error.code) == error.code && PlainS3Name(error.region) == error.region,
          "an error's words are plain");
  const auto versioning = ParseS3Versioning(bytes);
  Require(versioning.ok() || versioning.Is(Code::kCorrupt), "what is refused is corrupt");
}

}  // namespace saffron::fuzz
