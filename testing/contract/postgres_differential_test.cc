// The memory registry is what the simulation runs; a real PostgreSQL must answer the same.
#include <gtest/gtest.h>

#include <memory>

#include "adapters/memory/memory_registry.h"
#include "adapters/postgres/postgres_test_home.h"
#include "testing/contract/registry_differential.h"

namespace saffron {
namespace {

class MemoryHome final : public RegistryHome {
 public:
  OpenRegistry Open() override { return {registry_, registry_}; }
  void ChangeIncarnation() override {}

 private:
  const std::shared_ptr<MemoryRegistry> registry_ =
      std::make_shared<MemoryRegistry>(MemoryRegistry::Options{[] { return 1'900'000'000'000; }});
};

class PostgresDifferentialTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(PostgresDifferentialTest, MemoryAndPostgresAnswerTheSame) {
  const std::shared_ptr<PostgresTestHome> postgres = PostgresTestHome::Make(false);
  if (postgres == nullptr) SAFFRON_NO_SERVER("postgres");
  MemoryHome memory;
  RunRegistryDifferential(memory, *postgres,
                          {.seed = GetParam(), .operations = 1500, .reopen_every = 450});
}

INSTANTIATE_TEST_SUITE_P(Seeds, PostgresDifferentialTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace saffron
