#include "domain/names.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

namespace saffron {
namespace {

TEST(EventTypeTest, NamesRoundTripAndAreExactlyThese) {
  std::set<std::string> names;
  for (auto aggregate :
       {AggregateType::kDatabase, AggregateType::kOntologyClass, AggregateType::kInstance}) {
    names.insert(EventType::Rejected(aggregate).ToString());
    for (auto operation : {Operation::kCreate, Operation::kUpdate, Operation::kDelete}) {
      if (aggregate == AggregateType::kDatabase && operation == Operation::kUpdate) continue;
      names.insert(EventType::Requested(aggregate, operation).ToString());
      names.insert(EventType::Done(aggregate, operation).ToString());
    }
  }
  EXPECT_EQ(names.size(), 19u);
  for (const std::string& name : names) {
    auto type = EventType::Parse(name);
    ASSERT_TRUE(type.has_value()) << name;
    EXPECT_EQ(type->ToString(), name);
  }
  EXPECT_TRUE(names.contains("CREATE_INSTANCE_REQUESTED"));
  EXPECT_TRUE(names.contains("ONTOLOGY_CLASS_REJECTED"));
  EXPECT_TRUE(names.contains("DATABASE_DELETED"));
  EXPECT_FALSE(EventType::Parse("UPDATE_DATABASE_REQUESTED").has_value());
  EXPECT_FALSE(EventType::Parse("").has_value());
}

TEST(EventTypeTest, Topics) {
  auto requested = EventType::Requested;
  EXPECT_EQ(TopicOf(requested(AggregateType::kDatabase, Operation::kCreate)), "database_commands");
  EXPECT_EQ(TopicOf(requested(AggregateType::kOntologyClass, Operation::kDelete)),
            "ontology_commands");
  EXPECT_EQ(TopicOf(requested(AggregateType::kInstance, Operation::kUpdate)), "instance_commands");
  EXPECT_EQ(TopicOf(EventType::Rejected(AggregateType::kDatabase)), "ontology_events");
  EXPECT_EQ(TopicOf(EventType::Rejected(AggregateType::kOntologyClass)), "ontology_events");
  EXPECT_EQ(TopicOf(EventType::Rejected(AggregateType::kInstance)), "instance_events");
  EXPECT_EQ(HandlerOf(AggregateType::kDatabase), "ontology_worker");
  EXPECT_EQ(HandlerOf(AggregateType::kInstance), "instance_worker");
}

TEST(AggregateIdTest, RefusesTheWrongShape) {
  for (std::string_view id : {"", "a", "a:b", "a:b:c", "a:b:c:", "a::c:d", ":b:c:d"}) {
    EXPECT_FALSE(SplitAggregateId({AggregateType::kInstance, std::string(id)}).ok()) << id;
  }
  for (std::string_view id : {"", "a", "a:b", "a:b:", "a:b:c:d"}) {
    EXPECT_FALSE(SplitAggregateId({AggregateType::kOntologyClass, std::string(id)}).ok()) << id;
  }
  EXPECT_FALSE(SplitAggregateId({AggregateType::kDatabase, "a:b"}).ok());
  AggregateKey head = AggregateKey::OntologyHead("db", "main");
  ASSERT_TRUE(SplitAggregateId(head).ok());
  EXPECT_EQ(SplitAggregateId(head)->branch, "main");
}

TEST(AggregateIdProperty, SplitUndoesJoin) {
  auto part = [](const char* alphabet) {
    return rc::gen::nonEmpty(
        rc::gen::container<std::string>(rc::gen::elementOf(std::string(alphabet))));
  };
  EXPECT_TRUE(rc::check([&] {
    std::string db = *part("ab_"), branch = *part("A/-"), name = *part("Xy-"),
                instance = *part("a:._");
    AggregateKey key = AggregateKey::Instance(db, branch, name, instance);
    auto parts = SplitAggregateId(key);
    RC_ASSERT(parts.ok());
    RC_ASSERT(parts->db == db && parts->branch == branch);
    RC_ASSERT(parts->class_id == name && parts->instance == instance);
    AggregateKey of_class = AggregateKey::OntologyClass(db, branch, name);
    auto class_parts = SplitAggregateId(of_class);
    RC_ASSERT(class_parts.ok() && class_parts->class_id == name);
  }));
}

TEST(GrammarTest, Names) {
  for (std::string_view good : {"abc", "a1-b_c", "logistics"}) {
    EXPECT_TRUE(CheckDatabaseName(good).ok()) << good;
  }
  for (std::string_view bad :
       {"", "ab", "Abc", "1bc", "ab_", "a__b", "a--b", "a-_b", "a:bc", "a b"}) {
    EXPECT_FALSE(CheckDatabaseName(bad).ok()) << bad;
  }
  EXPECT_TRUE(CheckDatabaseName(std::string(50, 'a')).ok());
  EXPECT_FALSE(CheckDatabaseName(std::string(51, 'a')).ok());
  EXPECT_TRUE(CheckBranchName("feature/x-1_Y").ok());
  EXPECT_FALSE(CheckBranchName("a:b").ok());
  EXPECT_FALSE(CheckBranchName("").ok());
  EXPECT_TRUE(CheckClassName("Order-Line_2").ok());
  EXPECT_FALSE(CheckClassName("2Order").ok());
  EXPECT_FALSE(CheckClassName("Order:Line").ok());
  EXPECT_TRUE(CheckInstanceId("ORD:1.2-3_x").ok());
  EXPECT_FALSE(CheckInstanceId("a/b").ok());
  EXPECT_FALSE(CheckInstanceId(std::string(256, 'a')).ok());
  EXPECT_TRUE(CheckPropertyName("_a1").ok());
  EXPECT_FALSE(CheckPropertyName("1a").ok());
  EXPECT_FALSE(CheckPropertyName("a-b").ok());
}

TEST(IdsOfCommands, AreDerivedAsClientsExpect) {
  std::string uuid = "6ba7b811-9dad-11d1-80b4-00c04fd430c8";
  EXPECT_EQ(CommandIdFromKey("db1", uuid).ToString(), uuid);
  EXPECT_EQ(CommandIdFromKey("db1", "key").uuid,
            Uuid::FromName(Uuid::NamespaceUrl(), "saffron:db1:key"));
  EventId request = CommandIdFromKey("db1", "key");
  EXPECT_EQ(ItemCommandId(request, 12).uuid, Uuid::FromName(request.uuid, "12"));
  auto type = EventType::Done(AggregateType::kInstance, Operation::kCreate);
  EXPECT_EQ(OutcomeId(request, type, AggregateKey::Instance("d", "m", "C", "i")).uuid,
            Uuid::FromName(Uuid::NamespaceUrl(),
                           "spice:" + request.ToString() + ":INSTANCE_CREATED:d:m:C:i"));
}

}  // namespace
}  // namespace saffron
