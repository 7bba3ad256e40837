#include "adapters/s3/s3_xml.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "net/url.h"

namespace saffron {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxNameBytes = 64;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ':';
}

void AppendUtf8(std::string& text, std::uint32_t point) {
  if (point < 0x80) {
    text.push_back(static_cast<char>(point));
    return;
  }
  const int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  static constexpr std::uint32_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  text.push_back(static_cast<char>(kLead[more] | point >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) {
    text.push_back(static_cast<char>(0x80 | (point >> (6 * i) & 0x3f)));
  }
}

class XmlParser {
 public:
  explicit XmlParser(std::string_view bytes) : rest_(bytes) {}

  Result<XmlElement> Document() {
    (void)Take("\xef\xbb\xbf");
    if (Take("<?xml")) {
      const std::size_t end = rest_.find("?>");
      if (end == std::string_view::npos || rest_.substr(0, end).find('<') != std::string_view::npos)
        return Bad("an XML declaration without end");
      rest_.remove_prefix(end + 2);
    }
    SkipSpaces();
    XmlElement root;
    SAFFRON_TRY(Element(root, 1));
    SkipSpaces();
    if (!rest_.empty()) return Bad("something after the root element");
    return root;
  }

 private:
  static Error Bad(const char* what) { return Corrupt(std::string("XML: ") + what); }

  bool Take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void SkipSpaces() {
    while (!rest_.empty() && IsSpace(rest_.front())) rest_.remove_prefix(1);
  }
  std::string_view TakeName() {
    std::size_t size = 0;
    while (size < rest_.size() && IsNameByte(rest_[size])) ++size;
    const std::string_view name = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return size > kMaxNameBytes ? std::string_view() : name;
  }

  Status Attributes() {
    while (true) {
      const std::size_t before = rest_.size();
      SkipSpaces();
      if (rest_.empty()) return Bad("a tag without end");
      if (rest_.front() == '>' || rest_.front() == '/') return Ok();
      if (rest_.size() == before || TakeName().empty() || !Take("=")) return Bad("a bad attribute");
      const char quote = rest_.empty() ? '\0' : rest_.front();
      if (quote != '"' && quote != '\'') return Bad("an attribute without quotes");
      const std::size_t end = rest_.find(quote, 1);
      if (end == std::string_view::npos || rest_.substr(0, end).find('<') != std::string_view::npos)
        return Bad("an attribute without end");
      rest_.remove_prefix(end + 1);
    }
  }

  Status Element(XmlElement& element, int depth) {
    if (depth > kMaxDepth) return Bad("elements too deep");
    if (!Take("<")) return Bad("no element where one must be");
    element.name = TakeName();
    if (element.name.empty()) return Bad("not a tag that S3 uses");
    SAFFRON_TRY(Attributes());
    if (Take("/>")) return Ok();
    if (!Take(">")) return Bad("a tag without end");
    while (true) {
      SAFFRON_TRY(Text(element.text));
      if (Take("</")) break;
      SAFFRON_TRY(Element(element.children.emplace_back(), depth + 1));
    }
    if (TakeName() != element.name) return Bad("a wrong end tag");
    SkipSpaces();
    if (!Take(">")) return Bad("a tag without end");
    // Spaces between elements are layout.
    if (!element.children.empty() &&
        std::all_of(element.text.begin(), element.text.end(), IsSpace)) {
      element.text.clear();
    }
    return Ok();
  }

  // Up to the next '<', which there must be.
  Status Text(std::string& text) {
    while (!rest_.empty() && rest_.front() != '<') {
      const char c = rest_.front();
      if (c == '&') {
        SAFFRON_TRY(Reference(text));
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20 && !IsSpace(c)) return Bad("a control character");
      text.push_back(c);
      rest_.remove_prefix(1);
    }
    return rest_.empty() ? Status(Bad("it ends too early")) : Ok();
  }

  Status Reference(std::string& text) {
    const std::size_t end = rest_.substr(0, 12).find(';');
    if (end == std::string_view::npos) return Bad("a reference without end");
    std::string_view name = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    for (const auto& [known, c] : {std::pair<std::string_view, char>{"amp", '&'},
                                   {"lt", '<'},
                                   {"gt", '>'},
                                   {"quot", '"'},
                                   {"apos", '\''}}) {
      if (name == known) {
        text.push_back(c);
        return Ok();
      }
    }
    const bool hex = name.starts_with("#x");
    if (!name.starts_with("#")) return Bad("an unknown reference");
    name.remove_prefix(hex ? 2 : 1);
    std::uint32_t point = 0;
    const auto [stop, error] =
        std::from_chars(name.data(), name.data() + name.size(), point, hex ? 16 : 10);
    if (error != std::errc() || stop != name.data() + name.size() || point == 0 ||
        point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
      return Bad("a bad character reference");
    }
    AppendUtf8(text, point);
    return Ok();
  }

  std::string_view rest_;
};

}  // namespace

std::string PlainS3Name(std::string_view text) {
  const bool plain =
      text.size() <= kMaxNameBytes && std::all_of(text.begin(), text.end(), IsNameByte);
  return plain ? std::string(text) : std::string();
}

std::string_view XmlElement::TextOf(std::string_view child) const {
  for (const XmlElement& candidate : children) {
    if (candidate.name == child) return candidate.text;
  }
  return {};
}

Result<XmlElement> ParseXml(std::string_view bytes) { return XmlParser(bytes).Document(); }

S3ErrorAnswer ParseS3Error(std::string_view bytes) {
  Result<XmlElement> root = ParseXml(bytes);
  if (!root.ok() || root->name != "Error") return {};
  return {PlainS3Name(root->TextOf("Code")), PlainS3Name(root->TextOf("Region"))};
}

Result<S3Listing> ParseS3Listing(std::string_view bytes) {
  SAFFRON_ASSIGN(XmlElement root, ParseXml(bytes));
  const std::string_view truncated = root.TextOf("IsTruncated");
  if (root.name != "ListBucketResult" || (truncated != "true" && truncated != "false")) {
    return Corrupt("not an S3 listing");
  }
  const std::string_view encoding = root.TextOf("EncodingType");
  if (!encoding.empty() && encoding != "url") return Corrupt("an S3 listing in another encoding");
  S3Listing listing;
  listing.truncated = truncated == "true";
  for (const XmlElement& entry : root.children) {
    if (entry.name != "Contents") continue;
    const std::string_view key = entry.TextOf("Key");
    std::optional<std::string> decoded = encoding.empty() ? std::string(key) : PercentDecode(key);
    if (!decoded || decoded->empty()) return Corrupt("an S3 listing with a bad key");
    listing.keys.push_back(std::move(*decoded));
  }
  return listing;
}

Result<std::string> ParseS3Versioning(std::string_view bytes) {
  SAFFRON_ASSIGN(XmlElement root, ParseXml(bytes));
  const std::string_view status = root.TextOf("Status");
  if (root.name != "VersioningConfiguration" ||
      (!status.empty() && status != "Enabled" && status != "Suspended")) {
    return Corrupt("not an S3 versioning configuration");
  }
  return std::string(status);
}

}  // namespace saffron
