#include "testing/contract/registry_differential.h"

#include <gtest/gtest.h>

#include <memory>

#include "adapters/memory/memory_registry.h"
#include "adapters/rocksdb/rocksdb_test_home.h"

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

class RegistryDifferentialTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(RegistryDifferentialTest, MemoryAndRocksdbAnswerTheSame) {
  MemoryHome memory;
  RocksdbTestHome rocksdb;
  RunRegistryDifferential(memory, rocksdb,
                          {.seed = GetParam(), .operations = 2000, .reopen_every = 450});
}

INSTANTIATE_TEST_SUITE_P(Seeds, RegistryDifferentialTest, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace saffron
