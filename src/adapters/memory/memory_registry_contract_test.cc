#include <cstdint>
#include <memory>
#include <string>

#include "adapters/memory/memory_registry.h"
#include "testing/contract/append_registry_contract.h"
#include "testing/contract/claim_registry_contract.h"

namespace saffron {
namespace {

class MemoryHome final : public RegistryHome {
 public:
  OpenRegistry Open() override { return {registry_, registry_}; }
  void ChangeIncarnation() override { registry_->SetLiveIncarnation("memory-2"); }

 private:
  std::int64_t now_ms_ = 1'900'000'000'000;
  const std::shared_ptr<MemoryRegistry> registry_ = std::make_shared<MemoryRegistry>(
      MemoryRegistry::Options{[this] { return now_ms_++; }, "memory-1"});
};

INSTANTIATE_APPEND_REGISTRY_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });
INSTANTIATE_CLAIM_REGISTRY_CONTRACT(Memory, [] { return std::make_shared<MemoryHome>(); });

TEST(MemoryRegistryTest, ASnapshotBringsBackRowsButNotTheIncarnation) {
  MemoryRegistry registry({[] { return 5; }, "one"});
  RegistryWrite write;
  const AggregateKey key{AggregateType::kInstance, "db:main:Order:1"};
  write.control = RegistryControl{LogId(), "one", SlotNumber(7)};
  write.put_commands = {registry_rows::Settled(registry_rows::Reserved(1, key, 1), 6, 0)};
  ASSERT_TRUE(registry_rows::Put(registry, write).ok());
  const MemoryRegistry::Backup backup = registry.Snapshot();
  RegistryWrite later;
  later.control = RegistryControl{LogId(), "two", SlotNumber(9)};
  later.delete_commands = {write.put_commands[0].id};
  ASSERT_TRUE(registry_rows::Put(registry, later).ok());
  registry.SetLiveIncarnation("two");
  registry.Restore(backup);
  const auto rows = registry.Read(RegistryRead());
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->control, *write.control);
  EXPECT_EQ(rows->live_incarnation, "two");
  EXPECT_EQ(rows->now_ms, 5);
  const auto undecided = registry.Undecided({}, 9);
  ASSERT_TRUE(undecided.ok());
  EXPECT_EQ(undecided->size(), 1u);
}

}  // namespace
}  // namespace saffron
