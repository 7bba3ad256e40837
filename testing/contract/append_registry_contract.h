// The contract of AppendRegistry as tests, run on every engine:
//
//   INSTANTIATE_APPEND_REGISTRY_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "testing/contract/registry_home.h"

namespace saffron {

class AppendRegistryContract : public ::testing::TestWithParam<RegistryHomeMaker> {
 protected:
  void SetUp() override;
  void Close();
  void Reopen();
  AppendRegistry& registry() { return *open_.append; }

  RegistryRows MustRead(const RegistryRead& read);
  std::vector<EventId> MustListUndecided(const Position& after, std::size_t limit);

  std::shared_ptr<RegistryHome> home_;
  OpenRegistry open_;
};

// Referenced by the instantiation, so that the linker keeps the tests.
bool LinkAppendRegistryContract();
bool LinkAppendRegistryScansContract();  // the part in append_registry_scans_contract.cc

}  // namespace saffron

#define INSTANTIATE_APPEND_REGISTRY_CONTRACT(name, ...)                         \
  const bool append_registry_contract_of_##name = LinkAppendRegistryContract(); \
  INSTANTIATE_TEST_SUITE_P(name, AppendRegistryContract,                        \
                           ::testing::Values(RegistryHomeMaker(__VA_ARGS__)))
