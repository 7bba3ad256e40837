// From HTTP requests to WriteRequests: every way a write can be malformed is found here. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/runtime.h"
#include "services/oms/api_call.h"
#include "services/oms/write_request.h"

namespace saffron {

// What a request asks for, or the answer that refuses it (400, 404, 413, 415).
using ParsedWrite = std::variant<WriteRequest, HttpResponse>;

// `fresh` is the id of a request without a key. The deadline is the caller's to set.
class WriteParser {
 public:
  WriteParser(const ApiCall& call, const EventId& fresh) : call_(call), fresh_(fresh) {}

  ParsedWrite CreateDatabase() const;
  ParsedWrite DeleteDatabase() const;
  ParsedWrite CreateClass() const;
  ParsedWrite UpdateClass() const;
  ParsedWrite DeleteClass() const;
  ParsedWrite CreateInstance() const;
  ParsedWrite UpdateInstance() const;
  ParsedWrite DeleteInstance() const;
  ParsedWrite BulkCreate() const;
  ParsedWrite Transaction() const;

 private:
  class Draft;

  static std::string TakeDefinition(Draft& draft, bool needs_id);

  const ApiCall& call_;
  const EventId fresh_;
};

// Every route that writes, by its operation in the route table.
struct WriteOperation {
  std::string_view name;
  ParsedWrite (WriteParser::*parse)() const;
};
std::span<const WriteOperation> WriteOperations();

// A W3C traceparent, or nothing.
std::string TraceparentOf(const HttpRequest& request);

}  // namespace saffron
