// Reads of databases and classes, from the graph.
#pragma once

#include "services/oms/ontology_catalog.h"
#include "services/oms/read_service.h"

namespace saffron {

class OntologyReads {
 public:
  OntologyReads(ReadService& reads, OntologyCatalog& catalog) : reads_(reads), catalog_(catalog) {}
  void Register(HandlerMap& handlers);

 private:
  Result<HttpResponse> ListDatabases();
  Result<HttpResponse> DatabaseExists(const ApiCall& call);
  Result<HttpResponse> ListClasses(const ApiCall& call);
  Result<HttpResponse> GetClass(const ApiCall& call);
  Result<HttpResponse> ListBranches(const ApiCall& call);
  Result<HttpResponse> Validate(const ApiCall& call);
  Result<GraphNode> LiveDatabase(std::string_view db);

  ReadService& reads_;
  OntologyCatalog& catalog_;
};

}  // namespace saffron
