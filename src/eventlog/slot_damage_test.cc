// No damage of a stored slot goes unnoticed: not one bit, not one missing byte, in any part of it.
#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "eventlog/slot.h"

namespace saffron {
namespace {

LogId DocumentedLog() { return LogId(*Uuid::Parse("01a20786-9818-7c2e-8a53-6f0d6c1f2a10")); }

// The two whole slots of docs/event-log.md: golden bytes that people read too.
std::vector<std::string> DocumentedSlots() {
  std::ifstream page(SAFFRON_DOCS_DIR "/event-log.md");
  std::vector<std::string> slots;
  std::string line;
  while (std::getline(page, line)) {
    if (!line.starts_with(R"({"format":1,"log_id")")) continue;
    if (line.find(R"("kind":")") == std::string::npos) continue;  // format.json
    slots.push_back(line + "\n");
    if (line.find(R"("count":1)") == std::string::npos) continue;
    EXPECT_TRUE(std::getline(page, line));
    slots.back() += line + "\n";
  }
  return slots;
}

struct Case {
  std::string bytes;
  SlotNumber slot;
};

std::vector<Case> Cases() {
  std::vector<std::string> slots = DocumentedSlots();
  EXPECT_EQ(slots.size(), 2u);
  return {{slots.at(0), SlotNumber(1)}, {slots.at(1), SlotNumber(3)}};
}

void ExpectCorrupt(const std::string& bytes, SlotNumber slot, const std::string& what) {
  Result<Slot> decoded = DecodeSlot(bytes, DocumentedLog(), 0, slot);
  ASSERT_TRUE(decoded.Is(Code::kCorrupt)) << what;
  ASSERT_TRUE(decoded.error().message().starts_with(SlotKey(0, slot) + ": "))
      << what << ": " << decoded.error().message();
}

TEST(SlotDamageTest, TheDocumentedSlotsAreWhole) {
  for (const Case& one : Cases()) {
    Result<Slot> slot = DecodeSlot(one.bytes, DocumentedLog(), 0, one.slot);
    ASSERT_TRUE(slot.ok()) << slot.error().ToString();
    Slot again = slot->header.tombstone ? MakeTombstone(slot->header)
                                        : MakeBatchSlot(slot->header, slot->events);
    EXPECT_EQ(again.bytes, one.bytes);
  }
}

// Regression: the hash covered the events alone, so that a bit of batch id, writer or time of the
// header could turn unnoticed.
TEST(SlotDamageTest, EveryFlippedBitIsFoundAndTheSlotNamed) {
  for (const Case& one : Cases()) {
    for (std::size_t bit = 0; bit < one.bytes.size() * 8; ++bit) {
      std::string damaged = one.bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      ExpectCorrupt(damaged, one.slot, "bit " + std::to_string(bit));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(SlotDamageTest, EveryTruncationIsFoundAndTheSlotNamed) {
  for (const Case& one : Cases()) {
    for (std::size_t size = 0; size < one.bytes.size(); ++size) {
      ExpectCorrupt(one.bytes.substr(0, size), one.slot, "cut to " + std::to_string(size));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(SlotDamageTest, WhatWasAddedIsFoundAndTheSlotNamed) {
  for (const Case& one : Cases()) {
    ExpectCorrupt(one.bytes + "\n", one.slot, "a line more");
    ExpectCorrupt(one.bytes + one.bytes, one.slot, "twice");
    ExpectCorrupt(one.bytes + std::string(4096, '\0'), one.slot, "a block of zeros");
  }
}

TEST(SlotDamageTest, AnotherSlotsObjectIsNotTakenForThisOne) {
  for (const Case& one : Cases()) {
    ExpectCorrupt(one.bytes, one.slot.Next(), "under another key");
    Result<Slot> elsewhere = DecodeSlot(one.bytes, LogId(Uuid::NamespaceUrl()), 0, one.slot);
    EXPECT_TRUE(elsewhere.Is(Code::kCorrupt)) << "in another log";
  }
}

}  // namespace
}  // namespace saffron
