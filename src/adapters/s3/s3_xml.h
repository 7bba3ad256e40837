// The few XML answers of S3 that the store reads. Strict: what is not well-formed, or uses more of
// XML than S3 does (document types, comments, CDATA, processing instructions), is kCorrupt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace saffron {

// An element with its text (that of its children left out) and its children; attributes are
// checked and dropped, a prefix of the name is kept.
struct XmlElement {
  std::string name;
  std::string text;
  std::vector<XmlElement> children;

  // The text of the first child of that name; empty when there is none.
  std::string_view TextOf(std::string_view child) const;
};

Result<XmlElement> ParseXml(std::string_view bytes);

// The text if it may stand in a message: at most 64 letters, digits and '_', '-', '.', ':'. Else
// "".
std::string PlainS3Name(std::string_view text);

// <Error>: what may be told of it. The message is left out: it is the server's, and may repeat what
// the request carried.
struct S3ErrorAnswer {
  std::string code;    // "NoSuchKey"
  std::string region;  // of the bucket, where the answer names it
};

// Everything empty when it is not an S3 error: of a proxy, or of an answer without a body.
S3ErrorAnswer ParseS3Error(std::string_view bytes);

struct S3Listing {
  std::vector<std::string> keys;
  bool truncated = false;
};

// <ListBucketResult> of list-type 2, its keys percent-encoded if it says so.
Result<S3Listing> ParseS3Listing(std::string_view bytes);

// <VersioningConfiguration>: "Enabled", "Suspended", or empty: never was.
Result<std::string> ParseS3Versioning(std::string_view bytes);

}  // namespace saffron
