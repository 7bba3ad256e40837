// A temporary directory with an embedded registry in it, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "adapters/rocksdb/rocksdb_registry.h"
#include "testing/contract/registry_home.h"

namespace saffron {

class RocksdbTestHome final : public RegistryHome {
 public:
  RocksdbTestHome() {
    std::string pattern = (std::filesystem::temp_directory_path() / "saffron-registry-XXXXXX");
    SAFFRON_ASSERT(mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
  }
  ~RocksdbTestHome() override { std::filesystem::remove_all(root_); }

  std::string directory() const { return root_ / "registry"; }
  RocksdbRegistry::Options OptionsOf() const {
    RocksdbRegistry::Options options;
    options.directory = directory();
    options.boot_id = "boot-" + std::to_string(boot_);
    return options;
  }
  std::shared_ptr<RocksdbRegistry> OpenRegistry() const {
    auto opened = RocksdbRegistry::Open(OptionsOf());
    if (!opened.ok()) ADD_FAILURE() << opened.error().ToString();
    return opened.ok() ? std::shared_ptr<RocksdbRegistry>(std::move(*opened)) : nullptr;
  }
  saffron::OpenRegistry Open() override {
    auto registry = OpenRegistry();
    return {registry, registry};
  }
  void ChangeIncarnation() override { ++boot_; }

 private:
  std::filesystem::path root_;
  int boot_ = 1;
};

}  // namespace saffron
