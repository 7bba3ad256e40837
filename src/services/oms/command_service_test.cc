#include "services/oms/command_service.h"

#include <gtest/gtest.h>

#include "base/channel.h"
#include "services/oms/oms_test_home.h"

namespace saffron {
namespace {

class CommandServiceTest : public ::testing::Test {
 protected:
  WriteRequest Keyed(WriteCommand command, const EventId& id) {
    WriteRequest request = home_.Request(std::move(command));
    request.request_id = id;
    request.keyed = true;
    return request;
  }
  WriteRequest Many(WriteKind kind, std::vector<WriteCommand> commands) {
    WriteRequest request = home_.Request(commands.front());
    request.kind = kind;
    request.commands = std::move(commands);
    return request;
  }
  WriteAnswer Do(WriteRequest request) { return home_.service->WriteAndWait(std::move(request)); }

  OmsTestHome home_;
};

TEST_F(CommandServiceTest, AClientGoesOnWithTheNumberItGot) {
  home_.MakeOrders();
  WriteAnswer created = home_.Write(CreateInstance("Order", R"({"id":"A-1","weight":1.50})"));
  ASSERT_EQ(created.code, WriteCode::kAccepted);
  EXPECT_EQ(created.items[0].number, SequenceNumber(1));
  EXPECT_EQ(created.items[0].aggregate.id, "logistics:main:Order:A-1");
  EXPECT_GT(created.items[0].position.slot, SlotNumber(0));
  WriteAnswer updated = home_.Write(UpdateInstance("Order", "A-1", R"({"weight":2})", 1));
  ASSERT_EQ(updated.code, WriteCode::kAccepted);
  EXPECT_EQ(updated.items[0].number, SequenceNumber(2));
  WriteAnswer stale = home_.Write(UpdateInstance("Order", "A-1", R"({"weight":2})", 1));
  EXPECT_EQ(stale.code, WriteCode::kConflict);
  EXPECT_EQ(stale.items[0].actual_seq, SequenceNumber(2));
  WriteAnswer again = home_.Write(CreateInstance("Order", R"({"id":"A-1"})"));
  EXPECT_EQ(again.code, WriteCode::kConflict);
  EXPECT_EQ(home_.Write(DeleteInstance("Order", "A-1", 2)).code, WriteCode::kAccepted);
  EXPECT_EQ(home_.Write(DeleteInstance("Order", "A-1", 3)).code, WriteCode::kNotFound);
  EXPECT_EQ(home_.Write(DeleteInstance("Order", "Never", 1)).code, WriteCode::kNotFound);
  WriteAnswer reborn = home_.Write(CreateInstance("Order", R"({"id":"A-1"})"));
  EXPECT_EQ(reborn.items[0].number, SequenceNumber(4));
}

TEST_F(CommandServiceTest, WhatWasAcceptedIsInTheLogAsSent) {
  home_.MakeOrders();
  WriteAnswer created =
      home_.Write(CreateInstance("Order", "{\"id\": \"A\",\n \"weight\": 19.9900}"));
  home_.DecideAll();
  RegistryRead read;
  read.commands = {created.items[0].command_id};
  auto rows = home_.registry.Read(read);
  ASSERT_TRUE(rows.ok());
  auto event = ReadEvent(*home_.context, *rows->commands.begin()->second.location);
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->data, R"({"document":{"id":"A","weight":19.9900}})");
  EXPECT_EQ(event->metadata.ontology.size(), 2u);
  EXPECT_EQ(event->metadata.service, "oms");
  EXPECT_FALSE(rows->commands.begin()->second.outcome_rejected);
}

TEST_F(CommandServiceTest, IdsAreDerivedHere) {
  home_.MakeOrders();
  WriteAnswer bad = home_.Write(CreateInstance("Order", R"({"id":"a.b"})"));
  ASSERT_EQ(bad.code, WriteCode::kInvalid);
  EXPECT_EQ(bad.items[0].violations[0].code, "key_component");
  WriteAnswer odd = home_.Write(CreateInstance("Order", R"({"id":"a b"})"));
  ASSERT_EQ(odd.code, WriteCode::kInvalid);
  EXPECT_EQ(odd.items[0].violations[0].code, "instance_id");
  EXPECT_EQ(home_.Write(CreateInstance("Order", R"({"id":"a:b:c"})")).code, WriteCode::kAccepted);
}

TEST_F(CommandServiceTest, UnknownThingsAreRefusedOnlyWhenTheyAreUnknownForSure) {
  EXPECT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code,
            WriteCode::kUnknownDatabase);
  home_.MakeOrders();
  EXPECT_EQ(home_.Write(CreateInstance("Truck", R"({"id":"A"})")).code, WriteCode::kUnknownClass);
  WriteAnswer invalid = home_.Write(CreateInstance("Order", R"({"id":"A","color":1})"));
  ASSERT_EQ(invalid.code, WriteCode::kInvalid);
  EXPECT_EQ(invalid.items[0].violations[0].pointer, "/color");
  // A catalog that has not heard of the class yet: another process made it.
  OntologyCatalog late(*home_.context);
  CommandService other(*home_.context, *home_.append, late, *home_.tasks);
  ASSERT_TRUE(late.Refresh("logistics", "main").ok());
  std::string truck = R"({"properties":[{"name":"id","type":"string","primary_key":true}]})";
  ASSERT_EQ(home_.Write(ClassCommand(Operation::kCreate, "Truck", truck)).code,
            WriteCode::kAccepted);
  home_.DecideAll();
  EXPECT_EQ(late.Cached("logistics", "main")->Find("Truck"), nullptr);
  WriteAnswer created = other.WriteAndWait(home_.Request(CreateInstance("Truck", R"({"id":"T"})")));
  EXPECT_EQ(created.code, WriteCode::kAccepted);
}

TEST_F(CommandServiceTest, AStaleSnapshotIsRefreshedInvisibly) {
  home_.MakeOrders();
  OntologyCatalog late(*home_.context);
  ASSERT_TRUE(late.Refresh("logistics", "main").ok());
  CommandService other(*home_.context, *home_.append, late, *home_.tasks);
  std::string wider = kOrderClass;
  wider.replace(wider.find(R"({"name":"name")"), 0, R"({"name":"color","type":"string"},)");
  ASSERT_EQ(home_.Write(ClassCommand(Operation::kUpdate, "Order", wider, 1)).code,
            WriteCode::kAccepted);
  home_.DecideAll();
  WriteRequest request = home_.Request(CreateInstance("Order", R"({"id":"A"})"));
  EXPECT_EQ(other.WriteAndWait(std::move(request)).code, WriteCode::kAccepted);
  EXPECT_NE(late.Cached("logistics", "main")->Effective("Order").value()->FindProperty("color"),
            nullptr);
}

TEST_F(CommandServiceTest, AnUndecidedChangeIsWaitedForAndNamedAtTheDeadline) {
  WriteAnswer database = home_.Write(CreateDatabase());
  WriteRequest hasty = home_.Request(CreateInstance("Order", R"({"id":"A"})"));
  hasty.deadline = home_.After(milliseconds(150));
  WriteAnswer late = Do(std::move(hasty));
  EXPECT_EQ(late.code, WriteCode::kOntologyPending);
  EXPECT_EQ(late.blocking_command, database.request_id);
  home_.KeepDeciding();
  EXPECT_EQ(home_.Write(ClassCommand(Operation::kCreate, "Order", kOrderClass)).code,
            WriteCode::kAccepted);
  EXPECT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code, WriteCode::kAccepted);
}

TEST_F(CommandServiceTest, OneUndecidedClassCommandPerBranch) {
  home_.MakeOrders();
  std::string truck = R"({"properties":[{"name":"id","type":"string","primary_key":true}]})";
  WriteAnswer first = home_.Write(ClassCommand(Operation::kCreate, "Truck", truck));
  ASSERT_EQ(first.code, WriteCode::kAccepted);
  WriteRequest second = home_.Request(ClassCommand(Operation::kCreate, "Depot", truck));
  second.deadline = home_.After(milliseconds(150));
  WriteAnswer refused = Do(std::move(second));
  EXPECT_EQ(refused.code, WriteCode::kOntologyPending);
  EXPECT_EQ(refused.blocking_command, first.request_id);
  // Instances of other classes go on, though the class is being made.
  EXPECT_EQ(home_.Write(CreateInstance("Order", R"({"id":"B"})")).code, WriteCode::kAccepted);
  home_.DecideAll();
  EXPECT_EQ(home_.Write(ClassCommand(Operation::kCreate, "Depot", truck)).code,
            WriteCode::kAccepted);
}

TEST_F(CommandServiceTest, ARepetitionGetsTheFirstAnswerWhateverHappenedSince) {
  home_.MakeOrders();
  const EventId key(home_.runtime.NewUuid());
  WriteAnswer first = Do(Keyed(CreateInstance("Order", R"({"id":"A","weight":1})"), key));
  ASSERT_EQ(first.code, WriteCode::kAccepted);
  home_.DecideAll();
  home_.Write(DeleteInstance("Order", "A", 1));
  home_.DecideAll();
  WriteCommand gone = ClassCommand(Operation::kDelete, "Order", "", 1);
  ASSERT_EQ(home_.Write(gone).code, WriteCode::kAccepted);
  home_.DecideAll();
  WriteAnswer again = Do(Keyed(CreateInstance("Order", R"({"weight":1,"id":"A"})"), key));
  ASSERT_EQ(again.code, WriteCode::kAccepted);
  EXPECT_TRUE(again.items[0].duplicate);
  EXPECT_EQ(again.items[0].number, first.items[0].number);
  EXPECT_EQ(again.items[0].position, first.items[0].position);
  EXPECT_EQ(again.items[0].aggregate, first.items[0].aggregate);
  EXPECT_EQ(Do(Keyed(CreateInstance("Order", R"({"id":"A","weight":2})"), key)).code,
            WriteCode::kKeyReused);
  EXPECT_EQ(Do(Keyed(CreateDatabase(), key)).code, WriteCode::kKeyReused);
}

TEST_F(CommandServiceTest, AGeneratedIdIsTheCommandIdSoThatARetryMakesTheSame) {
  home_.MakeOrders();
  std::string note = R"({"abstract":false,"properties":[{"name":"key","type":"string",)"
                     R"("primary_key":true},{"name":"text","type":"string"}]})";
  ASSERT_EQ(home_.Write(ClassCommand(Operation::kCreate, "Note", note)).code, WriteCode::kAccepted);
  home_.DecideAll();
  const EventId key(home_.runtime.NewUuid());
  for (int i = 0; i < 2; ++i) {
    WriteAnswer made = Do(Keyed(CreateInstance("Note", R"({"text":"x"})"), key));
    ASSERT_EQ(made.code, WriteCode::kAccepted);
    EXPECT_EQ(made.items[0].aggregate.id, "logistics:main:Note:" + key.ToString());
    EXPECT_EQ(made.items[0].duplicate, i == 1);
  }
}

TEST_F(CommandServiceTest, EachItemOfABulkStandsForItself) {
  home_.MakeOrders();
  WriteRequest bulk = Many(
      WriteKind::kBulk,
      {CreateInstance("Order", R"({"id":"A"})"), CreateInstance("Order", R"({"id":"A"})"),
       CreateInstance("Order", R"({"id":"B","x":1})"), CreateInstance("Order", R"({"id":"C"})")});
  const EventId id = bulk.request_id;
  WriteAnswer answer = Do(bulk);
  ASSERT_EQ(answer.code, WriteCode::kAccepted);
  EXPECT_EQ(answer.items[0].code, WriteCode::kAccepted);
  EXPECT_EQ(answer.items[0].command_id, ItemCommandId(id, 0));
  EXPECT_EQ(answer.items[1].code, WriteCode::kConflict);
  EXPECT_EQ(answer.items[1].actual_seq, SequenceNumber(1));
  EXPECT_EQ(answer.items[2].code, WriteCode::kInvalid);
  EXPECT_EQ(answer.items[3].code, WriteCode::kAccepted);
  bulk.keyed = true;
  bulk.deadline = home_.After(seconds(5));
  WriteAnswer again = Do(bulk);
  EXPECT_TRUE(again.items[0].duplicate);
  EXPECT_EQ(again.items[0].position, answer.items[0].position);
  EXPECT_EQ(again.items[1].code, WriteCode::kConflict);
}

TEST_F(CommandServiceTest, ATransactionIsAllOrNothing) {
  home_.MakeOrders();
  ASSERT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code, WriteCode::kAccepted);
  WriteRequest stale = Many(WriteKind::kTransaction, {CreateInstance("Order", R"({"id":"B"})"),
                                                      UpdateInstance("Order", "A", "{}", 7)});
  WriteAnswer refused = Do(stale);
  EXPECT_EQ(refused.code, WriteCode::kConflict);
  EXPECT_EQ(refused.index, 1u);
  EXPECT_EQ(refused.items[1].actual_seq, SequenceNumber(1));
  WriteRequest checked = Many(WriteKind::kTransaction, {CreateInstance("Order", R"({"id":"B"})")});
  checked.checks = {{"Order", "A", SequenceNumber(3)}};
  WriteAnswer unchecked = Do(checked);
  EXPECT_EQ(unchecked.code, WriteCode::kConflict);
  EXPECT_EQ(unchecked.index, 1u);
  EXPECT_EQ(unchecked.items[0].aggregate.id, "logistics:main:Order:A");
  WriteRequest good = Many(WriteKind::kTransaction, {CreateInstance("Order", R"({"id":"B"})"),
                                                     UpdateInstance("Order", "A", "{}", 1)});
  good.checks = {{"Order", "C", SequenceNumber(0)}};
  WriteAnswer done = Do(good);
  ASSERT_EQ(done.code, WriteCode::kAccepted);
  EXPECT_EQ(done.items[0].position.slot, done.items[1].position.slot);
  good.keyed = true;
  good.deadline = home_.After(seconds(5));
  WriteAnswer again = Do(good);
  EXPECT_TRUE(again.items[1].duplicate);
  good.commands.pop_back();
  EXPECT_EQ(Do(good).code, WriteCode::kKeyReused);
}

TEST_F(CommandServiceTest, AnInvalidItemRefusesTheTransactionAndIsNamed) {
  home_.MakeOrders();
  WriteAnswer refused =
      Do(Many(WriteKind::kTransaction, {CreateInstance("Order", R"({"id":"B"})"),
                                        CreateInstance("Order", R"({"id":"C","weight":-1})")}));
  EXPECT_EQ(refused.code, WriteCode::kInvalid);
  EXPECT_EQ(refused.index, 1u);
  EXPECT_EQ(refused.items[1].violations[0].pointer, "/weight");
  EXPECT_EQ(refused.items[0].code, WriteCode::kTransactionFailed);
}

TEST_F(CommandServiceTest, AClassInUseIsNotDeleted) {
  home_.MakeOrders();
  ASSERT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code, WriteCode::kAccepted);
  home_.DecideAll();
  WriteAnswer refused = home_.Write(ClassCommand(Operation::kDelete, "Order", "", 1));
  EXPECT_EQ(refused.code, WriteCode::kClassInUse);
  EXPECT_EQ(refused.items[0].count, 1u);
  WriteCommand forced = ClassCommand(Operation::kDelete, "Order", "", 1);
  forced.force = true;
  EXPECT_EQ(home_.Write(forced).code, WriteCode::kAccepted);
}

TEST_F(CommandServiceTest, ADatabaseMadeAgainStartsEmpty) {
  home_.MakeOrders();
  home_.KeepDeciding();
  ASSERT_EQ(home_.Write(DeleteDatabase(1)).code, WriteCode::kAccepted);
  EXPECT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code,
            WriteCode::kUnknownDatabase);
  ASSERT_EQ(home_.Write(CreateDatabase()).code, WriteCode::kAccepted);
  EXPECT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code, WriteCode::kUnknownClass);
  EXPECT_EQ(home_.Write(ClassCommand(Operation::kCreate, "Order", kOrderClass)).code,
            WriteCode::kAccepted);
  EXPECT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code, WriteCode::kAccepted);
}

TEST_F(CommandServiceTest, StoppingAnswersWhoWaits) {
  home_.Write(CreateDatabase());
  Promise<WriteAnswer> answered(home_.runtime);
  home_.service->Write(home_.Request(CreateInstance("Order", R"({"id":"A"})")),
                       [&](WriteAnswer answer) { answered.Set(std::move(answer)); });
  home_.tasks->Stop();
  auto answer = answered.Wait(home_.After(seconds(5)));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->code, WriteCode::kUnavailable);
  EXPECT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code, WriteCode::kBusy);
}

// The whole process stops, and nobody has stopped the log yet.
TEST_F(CommandServiceTest, AStoppingProcessAnswersWhoStillWrites) {
  home_.MakeOrders();
  ASSERT_EQ(home_.Write(CreateInstance("Order", R"({"id":"A"})")).code, WriteCode::kAccepted);
  home_.runtime.RequestStop();
  auto code = WriteCode::kAccepted;
  for (int i = 0; i < 10000 && code == WriteCode::kAccepted; ++i) {
    code = home_.Write(CreateInstance("Order", R"({"id":")" + std::to_string(i) + R"("})")).code;
  }
  EXPECT_EQ(code, WriteCode::kUnavailable);
}

}  // namespace
}  // namespace saffron
