#include "adapters/elasticsearch/elastic_answers.h"

#include <gtest/gtest.h>

namespace saffron::elastic {
namespace {

// "saffron.g07" was taken for generation 7, and dropped as one that somebody left unfinished.
TEST(ElasticAnswersTest, AGenerationHasOneName) {
  EXPECT_EQ(GenerationOf("saffron", "saffron.g7"), 7u);
  EXPECT_EQ(GenerationOf("saffron", "saffron.g12.logistics"), 12u);
  for (const char* other : {"saffron.g", "saffron.g07", "saffron.g7x", "saffron.g+7", "saffron2.g7",
                            "saffron.g18446744073709551616", "other.g7"}) {
    EXPECT_EQ(GenerationOf("saffron", other), std::nullopt) << other;
  }
}

// The cursor made of it was refused when it came back.
TEST(ElasticAnswersTest, AHitWithoutItsSortValuesIsNotUnderstood) {
  const std::string hit =
      R"({"_version":1,"fields":{"key":["3a:b:c:d"],"present":[false],"database":[1],"class":[1],)"
      R"("updated_ms":[0]},"sort":)";
  const auto taken = [&](const std::string& sort) {
    FoundDocuments found{.documents = {}, .limit = 1, .sort_values = 2, .after = std::nullopt};
    return found.Take(R"({"_shards":{"failed":0},"hits":{"hits":[)" + hit + sort + "}]}}");
  };
  EXPECT_TRUE(taken(R"([null,"3a:b:c:d"])").ok());
  EXPECT_TRUE(taken(R"(["3a:b:c:d"])").Is(Code::kUnavailable));
  EXPECT_TRUE(taken(R"(["x",null])").Is(Code::kUnavailable));
}

TEST(ElasticAnswersTest, AReasonIsCutBetweenCharacters) {
  HttpResponse response;
  response.status = 400;
  for (const std::string before : {"", "a"}) {
    std::string reason = before;
    for (int i = 0; i < 200; ++i) reason += "\xc3\xa9";
    response.body = R"({"error":{"type":"t","reason":")" + reason + "\"}}";
    const std::string said = ExplainAnswer(response);
    EXPECT_EQ(said.size(), std::string("HTTP 400 t: ").size() + (before.empty() ? 300 : 299));
  }
}

TEST(ElasticAnswersTest, ABulkAnswerOfAnotherLengthIsUnknown) {
  const std::string body = R"({"items":[{"index":{"status":201}},{"index":{"status":429}}]})";
  ASSERT_TRUE(ParseBulk(body, 2).ok());
  EXPECT_EQ(ParseBulk(body, 2)->at(0).fate, BulkItem::Fate::kDone);
  EXPECT_EQ(ParseBulk(body, 2)->at(1).fate, BulkItem::Fate::kAgain);
  EXPECT_TRUE(ParseBulk(body, 3).Is(Code::kUnknownOutcome));
}

}  // namespace
}  // namespace saffron::elastic
