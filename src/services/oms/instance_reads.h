// Reads of instances: one by id and graph queries from the graph; lists, counts and searches from
// the index.
#pragma once

#include "services/oms/read_service.h"

namespace saffron {

class InstanceReads {
 public:
  explicit InstanceReads(ReadService& reads) : reads_(reads) {}
  void Register(HandlerMap& handlers);

 private:
  Result<HttpResponse> GetInstance(const ApiCall& call);
  Result<std::optional<HttpResponse>> GetInstanceAtOnce(const ApiCall& call);
  Result<HttpResponse> InstanceIn(const LiveScope& scope, std::string_view instance,
                                  std::optional<std::string_view> of_class);
  Result<HttpResponse> List(const ApiCall& call);
  Result<HttpResponse> Count(const ApiCall& call);
  Result<HttpResponse> Search(const ApiCall& call);
  Result<HttpResponse> GraphSearch(const ApiCall& call, const ReadService::Warnings& warnings);

  ReadService& reads_;
};

}  // namespace saffron
