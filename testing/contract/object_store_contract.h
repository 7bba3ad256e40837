// The contract of ObjectStore as tests, run on every store:
//
//   INSTANTIATE_OBJECT_STORE_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "ports/object_store.h"

namespace saffron {

// A place for objects, empty at first, that outlives the stores opened on it.
class ObjectStoreHome {
 public:
  virtual ~ObjectStoreHome() = default;
  // Called again only when the store before is gone.
  virtual std::shared_ptr<ObjectStore> Open() = 0;
};

// Null: it cannot be had here: the test is skipped, or fails where servers are required.
using ObjectStoreHomeMaker = std::function<std::shared_ptr<ObjectStoreHome>()>;

class ObjectStoreContract : public ::testing::TestWithParam<ObjectStoreHomeMaker> {
 protected:
  void SetUp() override;
  void Reopen();

  std::shared_ptr<ObjectStoreHome> home_;
  std::shared_ptr<ObjectStore> store_;
};

// Referenced by the instantiation, so that the linker keeps the tests.
bool LinkObjectStoreContract();

}  // namespace saffron

#define INSTANTIATE_OBJECT_STORE_CONTRACT(name, ...)                      \
  const bool object_store_contract_of_##name = LinkObjectStoreContract(); \
  INSTANTIATE_TEST_SUITE_P(name, ObjectStoreContract,                     \
                           ::testing::Values(ObjectStoreHomeMaker(__VA_ARGS__)))
