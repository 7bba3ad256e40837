// The engines of a deployment that are servers, as `saffron check` looks at them: what is not there
// is not made, and nothing runs in the background.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "app/config.h"
#include "base/runtime.h"
#include "ports/claim_registry.h"
#include "ports/graph_store.h"
#include "ports/message_bus.h"
#include "ports/object_store.h"
#include "ports/search_index.h"

namespace saffron {

struct DeployedRegistry {
  std::uint32_t schema_version = 0;  // 0: the server answers, and there is no registry
  std::uint32_t known_version = 0;   // that this program works with
  std::string tls_version;           // "TLSv1.3"; empty: the connection is plain text
  // Both null unless the two versions are the same.
  std::shared_ptr<AppendRegistry> append;
  std::shared_ptr<ClaimRegistry> claims;
};

// Each is for a port whose address is set; outlives what it opens. kNotFound: the server answers,
// and what the deployment keeps there is missing. No message has a secret in it.
class DeployedEngines {
 public:
  virtual ~DeployedEngines() = default;
  virtual Result<std::unique_ptr<ObjectStore>> OpenStore() = 0;
  virtual Result<DeployedRegistry> OpenRegistry() = 0;
  virtual Result<std::unique_ptr<MessageBus>> OpenBus() = 0;
  virtual Result<std::unique_ptr<GraphStore>> OpenGraph() = 0;
  virtual Result<std::unique_ptr<SearchIndex>> OpenSearch() = 0;
};

}  // namespace saffron
