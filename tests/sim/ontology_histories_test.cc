// Histories that broke earlier drafts of the pipeline, built step by step: databases that are made
// again, classes that change. docs/histories.md lists them.
#include "tests/sim/pipeline_histories_home.h"

namespace saffron {
namespace {

class OntologyHistories : public PipelineHistories {
 protected:
  // The same names again, which are nothing that was there before.
  void MakeTheDatabaseAgain() {
    ASSERT_EQ(Write(Database(Operation::kDelete, 1)).code, WriteCode::kAccepted);
    ASSERT_EQ(Write(Database(Operation::kCreate)).code, WriteCode::kAccepted);
    world.sim().RunFor(seconds(1));
    ASSERT_EQ(Write(Class(Operation::kCreate, "Thing", kThing)).code, WriteCode::kAccepted);
    world.sim().RunFor(seconds(1));
  }
};

TEST_F(OntologyHistories, C9_WhatWasParkedInADeadDatabaseDoesNotAppearInTheNextOfItsName) {
  PipelineNode& front = world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  worker.process().PauseFor(Duration::max());
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  Park("a", 1);
  worker.process().Resume();
  MakeTheDatabaseAgain();
  EXPECT_TRUE(Replay(front, "a").freed);
  Settle();
  const Scope dead = InGraph("a").scope;
  EXPECT_EQ(dead.database, SequenceNumber(1));
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  Settle();
  EXPECT_EQ(InGraph("a").version, SequenceNumber(2));
  EXPECT_EQ(InGraph("a").scope.database, SequenceNumber(3));
}

TEST_F(OntologyHistories, C10_InstancesOfADatabaseMadeAgainAreAbsent) {
  world.Start("one", kAllRoles);
  Begin();
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  Settle();
  MakeTheDatabaseAgain();
  EXPECT_EQ(Write(Update("a", 1)).code, WriteCode::kNotFound);
  const WriteAnswer again = Write(Create("a"));
  ASSERT_EQ(again.code, WriteCode::kAccepted);
  EXPECT_EQ(again.items[0].number, SequenceNumber(2));
}

TEST_F(OntologyHistories, C11_AClassChangeThatIsNotDecidedHoldsUpItsOwnInstancesOnly) {
  world.Start("front", kOthers | kInstanceWorkerRole);
  PipelineNode& ontology = world.Start("ontology", kOntologyWorkerRole);
  Begin();
  std::string other = kThing;
  other.replace(other.find("Thing"), 5, "Other");
  ASSERT_EQ(Write(Class(Operation::kCreate, "Other", other)).code, WriteCode::kAccepted);
  Settle();
  ontology.process().PauseFor(Duration::max());
  ASSERT_EQ(Write(Class(Operation::kUpdate, "Thing", kThing, 1)).code, WriteCode::kAccepted);
  EXPECT_EQ(Write(Create("a")).code, WriteCode::kOntologyPending);
  WriteCommand elsewhere = Create("b");
  elsewhere.class_id = "Other";
  ASSERT_EQ(Write(elsewhere).code, WriteCode::kAccepted);
  RunUntil([&] { return world.registry.Snapshot()->undecided.size() == 1; }, seconds(3));
  ontology.process().Resume();
  Settle();
  EXPECT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
}

// Each is fine by itself.
TEST_F(OntologyHistories, C12_TwoClassesThatBecomeEachOthersParentAtOnce) {
  PipelineNode& left = world.Start("left", kAllRoles);
  PipelineNode& right = world.Start("right", kAllRoles);
  Begin();
  const auto definition = [](const std::string& id, const std::string& parent) {
    return R"({"id":")" + id + R"(","abstract":true,)" +
           (parent.empty() ? "" : R"("parent_class":")" + parent + R"(",)") +
           R"("properties":[{"name":"of_)" + id + R"(","type":"string"}]})";
  };
  for (const char* id : {"A", "B"}) {
    ASSERT_EQ(Write(Class(Operation::kCreate, id, definition(id, ""))).code, WriteCode::kAccepted);
    Settle();
  }
  Asked a = Ask(RequestOf({Class(Operation::kUpdate, "A", definition("A", "B"), 1)}), &left);
  Asked b = Ask(RequestOf({Class(Operation::kUpdate, "B", definition("B", "A"), 1)}), &right);
  std::vector<WriteCode> codes = {AnswerOf(a).code, AnswerOf(b).code};
  EXPECT_THAT(codes, testing::UnorderedElementsAre(WriteCode::kAccepted, WriteCode::kInvalid));
}

TEST_F(OntologyHistories, C13_AClassWithAcceptedInstancesThatNobodyHasDecidedIsInUse) {
  world.Start("front", kOthers);
  PipelineNode& worker = world.Start("worker", kWorkers);
  Begin();
  worker.process().PauseFor(Duration::max());
  ASSERT_EQ(Write(Create("a")).code, WriteCode::kAccepted);
  EXPECT_EQ(Write(Class(Operation::kDelete, "Thing", "", 1)).code, WriteCode::kClassInUse);
  worker.process().Resume();
}

}  // namespace
}  // namespace saffron
