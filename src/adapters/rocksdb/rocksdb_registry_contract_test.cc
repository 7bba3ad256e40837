#include <memory>

#include "adapters/rocksdb/rocksdb_test_home.h"
#include "testing/contract/append_registry_contract.h"
#include "testing/contract/claim_registry_contract.h"

namespace saffron {
namespace {

INSTANTIATE_APPEND_REGISTRY_CONTRACT(Rocksdb, [] { return std::make_shared<RocksdbTestHome>(); });
INSTANTIATE_CLAIM_REGISTRY_CONTRACT(Rocksdb, [] { return std::make_shared<RocksdbTestHome>(); });

}  // namespace
}  // namespace saffron
