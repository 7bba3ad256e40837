#include <memory>
#include <string_view>

#include "adapters/postgres/postgres_test_home.h"
#include "testing/contract/append_registry_contract.h"
#include "testing/contract/claim_registry_contract.h"

namespace saffron {
namespace {

std::shared_ptr<RegistryHome> MakeHome() {
  const std::string_view test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  return PostgresTestHome::Make(test.find("Incarnation") != std::string_view::npos);
}

INSTANTIATE_APPEND_REGISTRY_CONTRACT(Postgres, &MakeHome);
INSTANTIATE_CLAIM_REGISTRY_CONTRACT(Postgres, &MakeHome);

}  // namespace
}  // namespace saffron
