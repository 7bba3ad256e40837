// The contract of ClaimRegistry as tests, run on every engine:
//
//   INSTANTIATE_CLAIM_REGISTRY_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "testing/contract/registry_home.h"

namespace saffron {

class ClaimRegistryContract : public ::testing::TestWithParam<RegistryHomeMaker> {
 protected:
  void SetUp() override;
  void Reopen();
  ClaimRegistry& registry() { return *open_.claims; }

  ClaimRows MustRead(const ClaimRead& read);
  std::vector<ClaimKey> MustList(const std::string& handler, ClaimStatus status, std::size_t limit);

  std::shared_ptr<RegistryHome> home_;
  OpenRegistry open_;
};

// Referenced by the instantiation, so that the linker keeps the tests.
bool LinkClaimRegistryContract();

}  // namespace saffron

#define INSTANTIATE_CLAIM_REGISTRY_CONTRACT(name, ...)                        \
  const bool claim_registry_contract_of_##name = LinkClaimRegistryContract(); \
  INSTANTIATE_TEST_SUITE_P(name, ClaimRegistryContract,                       \
                           ::testing::Values(RegistryHomeMaker(__VA_ARGS__)))
