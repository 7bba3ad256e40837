#include "adapters/terminusdb/terminus_answers.h"

#include <gtest/gtest.h>

#include "adapters/terminusdb/terminus_documents.h"

namespace saffron::terminus {
namespace {

// A commit matches the fence as a whole: one that is read and written otherwise never matches.
TEST(TerminusAnswersTest, AFenceHasOneText) {
  ASSERT_TRUE(Fence::Parse("7 12 2 9"));
  EXPECT_EQ(Fence::Parse("7 12 2 9")->ToString(), "7 12 2 9");
  for (const char* other : {"7 12 2", "7 12 2 9 ", "07 12 2 9", "7  12 2 9", "7 12 2 -9", ""}) {
    EXPECT_FALSE(Fence::Parse(other)) << other;
  }
}

// A node without its version was taken for a placeholder, that is, for one that is not there.
TEST(TerminusAnswersTest, ANodeThatLacksAMemberIsDamaged) {
  const std::string whole =
      R"({"@id":"Node/3.db1_3Amain_3AOrder_3Aa","version":3,"facts":"[1,1,1,1,0,0]",)"
      R"("document":"{}"})";
  ASSERT_TRUE(ParseNode(whole).ok());
  EXPECT_EQ(ParseNode(whole)->node.version, SequenceNumber(3));
  for (const char* name : {"@id", "version", "facts"}) {
    std::string other = whole;
    other.replace(other.find(std::string("\"") + name), 2, "\"-");
    EXPECT_TRUE(ParseNode(other).Is(Code::kCorrupt)) << other;
  }
  EXPECT_TRUE(ParseNode(R"({"@id":"Node/3.a","version":0})").ok());  // a placeholder
}

TEST(TerminusAnswersTest, AMemberOfAnotherKindIsDamaged) {
  for (const char* document : {R"({"@id":5,"version":0})", R"({"@id":"Node/3.a","version":"0"})",
                               R"({"@id":"Node/3.a","version":0,"document":5})",
                               R"({"@id":"Node/3.a","version":0,"live":["x"]})",
                               R"({"@id":"Node/3.a","version":1,"facts":"[2,1,1,1,0,0]"})"}) {
    EXPECT_TRUE(ParseNode(document).Is(Code::kCorrupt)) << document;
  }
  EXPECT_EQ(StateOfFence(R"({"state":[1]})"), std::nullopt);
}

TEST(TerminusAnswersTest, AGenerationHasOneName) {
  const auto generations = ParseGenerations(
      R"([{"path":"admin/saffron_g7"},{"path":"admin/saffron_g07"},{"path":"admin/saffron_g0"},)"
      R"({"path":5},{"path":"admin/saffron"},{"path":"admin/saffron_g12"}])",
      "admin/saffron_g");
  EXPECT_EQ(generations, (std::vector<std::uint64_t>{7, 12}));
  EXPECT_EQ(ParseGenerations("{}", "admin/saffron_g"), std::nullopt);
}

}  // namespace
}  // namespace saffron::terminus
