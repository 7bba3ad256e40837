#include "services/ops/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "services/ops/ops_test_home.h"

namespace saffron {
namespace {

using testing::HasSubstr;

TEST(Verify, ACleanLogIsClean) {
  OpsHome home;
  Fill(home);
  VerifyReport report = home.Verify();
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.commands, 60u);
  EXPECT_EQ(report.outcomes, 60u);
  EXPECT_EQ(report.rejected, 12u);
  EXPECT_EQ(report.undecided(), 0u);
  EXPECT_EQ(report.command_rows, 60u);
  EXPECT_EQ(report.aggregate_rows, 12u);
  EXPECT_EQ(report.graph_nodes, 12u);
  EXPECT_EQ(report.search_documents, 12u);
  EXPECT_EQ(report.classes.at("ops:main:Thing").present, 12u);
  EXPECT_EQ(report.digest.events(), 120u);
  EXPECT_THAT(VerifyReportAsJson(report), HasSubstr("\"clean\":true"));
}

TEST(Verify, AnEmptyLogIsClean) {
  OpsHome home;
  VerifyReport report = home.Verify();
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.slots, 0u);
}

TEST(Verify, ManyAggregatesAreTakenInSeveralPasses) {
  OpsHome home;
  Fill(home);
  VerifyOptions options;
  options.max_aggregates = 2;
  VerifyReport report = home.Verify(options);
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.digest.Hex(), home.Verify().digest.Hex());
  EXPECT_EQ(report.aggregate_rows, 12u);
  EXPECT_EQ(report.graph_nodes, 12u);
  EXPECT_EQ(report.command_rows, 60u);
}

TEST(Verify, FromALaterSlotWhatLiesBeforeIsNotJudged) {
  OpsHome home;
  Fill(home);
  VerifyOptions options;
  options.from = SlotNumber(home.Head().value / 2);
  VerifyReport report = home.Verify(options);
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_LT(report.commands, 60u);
}

TEST(Verify, CommandsFlowMeanwhile) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    OpsHome home(4, seed);
    Fill(home);
    VerifyReport report;
    home.In([&] {
      TaskGroup both(home.process);
      both.Spawn("verify", [&] { report = home.VerifyHere({}); });
      both.Spawn("write", [&] {
        for (int round = 0; round < 3; ++round) {
          home.WriteHere(Things(14));
          home.FoldHere({});
        }
      });
    });
    EXPECT_TRUE(report.clean()) << "seed " << seed << "\n" << VerifyReportAsText(report);
  }
}

TEST(Verify, UndecidedCommandsAreNoDifference) {
  OpsHome home;
  Fill(home);
  home.decides = false;
  home.Write({1, 2});
  home.Fold();
  VerifyReport report = home.Verify();
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.undecided(), 2u);
}

TEST(VerifyLog, AFlippedBitIsFoundAndNamed) {
  OpsHome home;
  Fill(home);
  home.store.Corrupt(SlotKey(0, SlotNumber(3)), 8 * 700);
  ExpectFirst(home.Verify(), SlotKey(0, SlotNumber(3)), "checksum does not match", "restore");
}

TEST(VerifyLog, AFlippedBitInTheHeaderToo) {
  OpsHome home;
  Fill(home);
  home.store.Corrupt(SlotKey(0, SlotNumber(2)), 8 * 3);
  ExpectFirst(home.Verify(), SlotKey(0, SlotNumber(2)), "header", "restore");
}

TEST(VerifyLog, ATruncatedSlot) {
  OpsHome home;
  Fill(home);
  home.store.Truncate(SlotKey(0, SlotNumber(4)), 900);
  ExpectFirst(home.Verify(), SlotKey(0, SlotNumber(4)), "bytes of events", "restore");
}

TEST(VerifyLog, AMissingSlotInTheMiddleAndAtTheEnd) {
  OpsHome middle;
  Fill(middle);
  ASSERT_TRUE(middle.store.Delete(SlotKey(0, SlotNumber(5))).ok());
  ExpectFirst(middle.Verify(), SlotKey(0, SlotNumber(5)), "absent", "restore");

  OpsHome end;
  Fill(end);
  ASSERT_TRUE(end.store.Delete(SlotKey(0, end.Head())).ok());
  ExpectFirst(end.Verify(), SlotKey(0, end.Head()), "absent", "restore");
}

TEST(VerifyLog, ASecondOutcome) {
  OpsHome home;
  Fill(home);
  home.AppendRaw(home.LastEvent(EventKind::kDomain));
  home.Fold();
  ExpectFirst(home.Verify(), SlotKey(0, home.Head()), "a second outcome of number 5", "defect");
}

TEST(VerifyLog, AGapInTheNumbers) {
  OpsHome home;
  Fill(home);
  LoggedEvent command = home.LastEvent(EventKind::kCommand);
  command.envelope.event_id = command.envelope.metadata.command_id = EventId(Uuid::NamespaceUrl());
  command.envelope.sequence_number = SequenceNumber(7);
  home.AppendRaw(std::move(command));
  home.Fold();
  ExpectFirst(home.Verify(), SlotKey(0, home.Head()), "command number 7 follows number 5");
}

TEST(VerifyLog, AnOutcomeOnAnotherBasis) {
  OpsHome home;
  Fill(home);
  home.decides = false;
  home.Write({0});
  LoggedEvent outcome;
  outcome.envelope =
      home.OutcomeOf(home.CommandRowOf(OpsHome::CommandId(OpsHome::Thing(0), 6))).envelope;
  outcome.outcome = home.decided[OpsHome::Thing(0)];
  outcome.outcome->basis = Position{0, SlotNumber(1), 0};
  outcome.envelope.data = EncodeOutcome(*outcome.outcome);
  home.AppendRaw(std::move(outcome));
  home.Fold();
  ExpectFirst(home.Verify(), SlotKey(0, home.Head()), "names the basis 0-1-0");
}

TEST(VerifyRegistry, AnAlteredCommandRow) {
  OpsHome home;
  Fill(home);
  const EventId id = OpsHome::CommandId(OpsHome::Thing(3), 2);
  CommandRow row = home.CommandRowOf(id);
  row.number = SequenceNumber(4);
  RegistryWrite write;
  write.put_commands.push_back(row);
  home.WriteRegistry(write);
  ExpectFirst(home.Verify(), "registry: command " + id.ToString(), "the row says number 4",
              "saffron rebuild registry");
}

TEST(VerifyRegistry, AMissingCommandRow) {
  OpsHome home;
  Fill(home);
  const EventId id = OpsHome::CommandId(OpsHome::Thing(3), 2);
  RegistryWrite write;
  write.delete_commands.push_back(id);
  home.WriteRegistry(write);
  ExpectFirst(home.Verify(), "registry: command " + id.ToString(), "no row");
}

TEST(VerifyRegistry, AMisplacedOutcome) {
  OpsHome home;
  Fill(home);
  CommandRow row = home.CommandRowOf(OpsHome::CommandId(OpsHome::Thing(3), 2));
  row.outcome->crc32c ^= 1;
  RegistryWrite write;
  write.put_commands.push_back(row);
  home.WriteRegistry(write);
  ExpectFirst(home.Verify(), "registry: command " + row.id.ToString(), "checksum of the outcome");
}

TEST(VerifyRegistry, AlteredAggregateRows) {
  // All that is told, as one text.
  const auto told_of = [](const std::function<void(AggregateRow&)>& alter) {
    OpsHome home;
    Fill(home);
    AggregateRow row = home.RowOf(OpsHome::Thing(7));
    alter(row);
    RegistryWrite write;
    write.put_aggregates.push_back(row);
    home.WriteRegistry(write);
    VerifyReport report = home.Verify();
    EXPECT_FALSE(report.clean());
    std::string told;
    for (const Difference& difference : report.differences) {
      EXPECT_EQ(difference.where, "registry: Instance ops:main:Thing:7");
      told += difference.what + "\n";
    }
    return told;
  };
  EXPECT_THAT(told_of([](AggregateRow& row) { row.accepted.number = SequenceNumber(9); }),
              HasSubstr("accepted number 9; the log has 5"));
  EXPECT_THAT(told_of([](AggregateRow& row) { row.accepted.number = SequenceNumber(4); }),
              HasSubstr("accepted number 4; the log has 5"));
  EXPECT_THAT(told_of([](AggregateRow& row) { row.decided.number = SequenceNumber(6); }),
              HasSubstr("decided number 6; the log has 5"));
  EXPECT_THAT(told_of([](AggregateRow& row) { row.decided.lifecycle = Lifecycle::kAbsent; }),
              HasSubstr("lifecycle"));
  EXPECT_THAT(told_of([](AggregateRow& row) { row.accepted.lifecycle = Lifecycle::kAbsent; }),
              HasSubstr("accepted"));
  EXPECT_THAT(told_of([](AggregateRow& row) {
                row.pending = PendingState{BatchId(Uuid::NamespaceUrl()), row.accepted};
              }),
              HasSubstr("no reservation names"));
}

TEST(VerifyRegistry, ARowThatTheLogDoesNotKnow) {
  OpsHome home;
  Fill(home);
  AggregateRow row = home.RowOf(OpsHome::Thing(7));
  row.key = OpsHome::Thing(99);
  RegistryWrite write;
  write.put_aggregates.push_back(row);
  home.WriteRegistry(write);
  ExpectFirst(home.Verify(), "registry: Instance ops:main:Thing:99", "the log has 0");
}

TEST(VerifyRegistry, AReservationThatNobodySettles) {
  OpsHome home;
  Fill(home);
  Reservation reservation;
  reservation.batch = BatchId(Uuid::NamespaceUrl());
  reservation.slot = home.Head();
  reservation.writer = "gone";
  RegistryWrite write;
  write.put_reservations.push_back(reservation);
  home.WriteRegistry(write);
  ExpectFirst(home.Verify(), "registry: slot " + std::to_string(home.Head().value),
              "by gone expired at", "start a server");
}

TEST(VerifyRegistry, ARegistryOlderThanTheLog) {
  OpsHome home;
  Fill(home);
  const MemoryRegistry::Backup backup = home.registry.Snapshot();
  home.Write({1});
  home.Fold();
  home.registry.Restore(backup);
  ExpectFirst(home.Verify(), "registry: next slot", "the log goes on", "saffron rebuild registry");
}

TEST(VerifyGraph, AlteredMissingExtraAndStaleNodes) {
  const auto first_of = [](const std::function<void(MemoryGraph::Contents&)>& alter) {
    OpsHome home;
    Fill(home);
    MemoryGraph::Contents contents = home.graph.Snapshot();
    alter(contents);
    home.graph.Restore(std::move(contents));
    VerifyReport report = home.Verify();
    EXPECT_EQ(report.differences_total, 1u) << VerifyReportAsText(report);
    EXPECT_EQ(report.differences.front().to_do, "saffron rebuild graph");
    return report.differences.front().where + ": " + report.differences.front().what;
  };
  const AggregateKey key = OpsHome::Thing(2);
  const std::string named = "graph: Instance ops:main:Thing:2: ";
  EXPECT_THAT(first_of([&](auto& graph) { graph.nodes[key].document = "{\"n\":77}"; }),
              HasSubstr(named + "lifecycle, scope or document differ"));
  EXPECT_THAT(first_of([&](auto& graph) { graph.nodes[key].version = SequenceNumber(4); }),
              HasSubstr(named + "it is at number 4; the log has the outcome of number 5"));
  EXPECT_THAT(first_of([&](auto& graph) { graph.nodes[key].version = SequenceNumber(6); }),
              HasSubstr(named + "it is at number 6; the log has none above 5"));
  EXPECT_THAT(first_of([&](auto& graph) { graph.nodes.erase(key); }),
              HasSubstr(named + "it is missing"));
  EXPECT_THAT(first_of([&](auto& graph) {
                GraphNode node = graph.nodes[key];
                node.key = OpsHome::Thing(50);
                graph.nodes[node.key] = node;
              }),
              HasSubstr("graph: Instance ops:main:Thing:50: it is at number 5; the log has no"));
}

TEST(VerifyGraph, AGraphThatHasNotGotThere) {
  OpsHome home;
  Fill(home);
  MemoryGraph::Contents contents = home.graph.Snapshot();
  contents.state.position.slot = SlotNumber(3);
  home.graph.Restore(std::move(contents));
  ExpectFirst(home.Verify(), "graph: position", "it is at slot 3");
}

TEST(VerifySearch, AMissingDocument) {
  OpsHome home;
  for (int round = 0; round < 5; ++round) home.Write(Things(12));
  home.Fold({OpsHome::Thing(4)});
  ExpectFirst(home.Verify(), "search: Instance ops:main:Thing:4", "it is missing",
              "saffron rebuild search");
}

TEST(VerifySearch, AStaleDocument) {
  OpsHome home;
  Fill(home);
  home.Write({4});
  home.Fold({OpsHome::Thing(4)});
  ExpectFirst(home.Verify(), "search: Instance ops:main:Thing:4", "it is at number 5");
}

TEST(VerifySearch, ADocumentTooMany) {
  OpsHome home;
  Fill(home);
  SearchDocument document;
  document.key = OpsHome::Thing(70);
  document.version = SequenceNumber(1);
  home.In([&] { ASSERT_TRUE(home.search.Write({document}).ok() && home.search.Refresh().ok()); });
  ExpectFirst(home.Verify(), "search: Instance ops:main:Thing:70", "the log has no outcome of it");
}

TEST(VerifySearch, WhatWasRefusedAndDeadLetteredIsCountedApart) {
  OpsHome home;
  Fill(home);
  home.Write({4});
  home.Fold({OpsHome::Thing(4)});
  RefusedEvent refused;
  refused.aggregate = OpsHome::Thing(4);
  refused.number = SequenceNumber(6);
  refused.sink = "search";
  refused.reason = "by the test";
  home.In([&] { ASSERT_TRUE(home.bus.Produce({DeadLetterOf(refused)}, seconds(1)).ok()); });
  VerifyReport report = home.Verify();
  EXPECT_TRUE(report.clean()) << VerifyReportAsText(report);
  EXPECT_EQ(report.refused, 1u);
}

TEST(VerifyDigest, DoesNotDependOnBatchesAndInterleaving) {
  OpsHome one(1), many(50);
  Fill(one);
  many.Write({5, 4, 3, 2, 1, 0});
  many.Write({0, 1, 2, 3, 4, 5});
  for (int round = 0; round < 5; ++round) many.Write({11, 7, 8, 10, 9, 6});
  for (int round = 0; round < 3; ++round) many.Write({3, 1, 0, 2, 5, 4});
  many.Fold();
  VerifyReport a = one.Verify(), b = many.Verify();
  EXPECT_TRUE(a.clean()) << VerifyReportAsText(a);
  EXPECT_TRUE(b.clean()) << VerifyReportAsText(b);
  EXPECT_NE(a.slots, b.slots);
  EXPECT_EQ(a.digest.Hex(), b.digest.Hex());
  EXPECT_EQ(a.classes.at("ops:main:Thing").digest.Hex(),
            b.classes.at("ops:main:Thing").digest.Hex());
}

TEST(VerifyDigest, DependsOnContents) {
  OpsHome one, other;
  Fill(one);
  other.flavour = ",\"more\":1";
  Fill(other);
  EXPECT_NE(one.Verify().digest.Hex(), other.Verify().digest.Hex());
  const std::string before = one.Verify().digest.Hex();
  one.Write({3});
  EXPECT_NE(one.Verify().digest.Hex(), before);
}

}  // namespace
}  // namespace saffron
