#include "net/router.h"

#include <gtest/gtest.h>

#include <chrono>

namespace saffron {
namespace {

using Outcome = RouteMatch::Outcome;

class RouterTest : public testing::Test {
 protected:
  Router router_;
  const std::size_t root_ = router_.Add("GET", "/");
  const std::size_t remove_ = router_.Add("DELETE", "/api/v1/database/{db}");
  const std::size_t list_ = router_.Add("GET", "/api/v1/database/list");
  const std::size_t create_ = router_.Add("POST", "/api/v1/instances/{db}/async/{class}/create");
  const std::size_t update_ =
      router_.Add("PUT", "/api/v1/instances/{db}/async/{class}/{instance}/update");
  const std::size_t status_ =
      router_.Add("GET", "/api/v1/instances/{db}/async/command/{id}/status");
  const std::size_t read_ = router_.Add("GET", "/api/v1/database/{name}/ontology");
  const std::size_t write_ = router_.Add("POST", "/api/v1/database/{db}/ontology");
};

TEST_F(RouterTest, FindsAndNamesParameters) {
  const RouteMatch match = router_.Match("POST", "/api/v1/instances/shop/async/Order/create");
  ASSERT_EQ(match.outcome, Outcome::kFound);
  EXPECT_EQ(match.route, create_);
  EXPECT_EQ(match.Param("db"), "shop");
  EXPECT_EQ(match.Param("class"), "Order");
  EXPECT_EQ(match.Param("other"), "");
  EXPECT_EQ(router_.Match("GET", "/").route, root_);
  EXPECT_EQ(router_.routes().size(), 8U);
  EXPECT_EQ(router_.routes()[create_].pattern, "/api/v1/instances/{db}/async/{class}/create");
}

TEST_F(RouterTest, LiteralsWinAndOtherShapesAreStillTried) {
  EXPECT_EQ(router_.Match("GET", "/api/v1/database/list").route, list_);
  EXPECT_EQ(router_.Match("DELETE", "/api/v1/database/list").route, remove_);
  EXPECT_EQ(router_.Match("GET", "/api/v1/instances/d/async/command/7/status").route, status_);
  const RouteMatch match = router_.Match("PUT", "/api/v1/instances/d/async/command/7/update");
  EXPECT_EQ(match.route, update_);
  EXPECT_EQ(match.Param("class"), "command");
}

TEST_F(RouterTest, EachMethodKeepsItsOwnParameterNames) {
  EXPECT_EQ(router_.Match("GET", "/api/v1/database/a/ontology").Param("name"), "a");
  EXPECT_EQ(router_.Match("POST", "/api/v1/database/a/ontology").Param("db"), "a");
}

TEST_F(RouterTest, TellsUnknownPathFromWrongMethod) {
  for (const char* path : {"", "x", "//", "/api", "/api/v1/database", "/api/v1/database/",
                           "/api/v1/database/a/", "/api/v1/database/a/ontology/x/y/z/1/2/3/4/5"}) {
    EXPECT_EQ(router_.Match("GET", path).outcome, Outcome::kNotFound) << path;
  }
  const RouteMatch wrong = router_.Match("PATCH", "/api/v1/database/list");
  EXPECT_EQ(wrong.outcome, Outcome::kMethodNotAllowed);
  EXPECT_EQ(wrong.allow, "DELETE, GET, HEAD");
  EXPECT_EQ(router_.Match("HEAD", "/api/v1/database/list").route, list_);
  EXPECT_EQ(router_.Match("HEAD", "/api/v1/database/x").outcome, Outcome::kMethodNotAllowed);
}

TEST_F(RouterTest, DecodesEachSegmentOnce) {
  EXPECT_EQ(router_.Match("DELETE", "/api/v1/database/a%2Fb%2541").Param("db"), "a/b%41");
  EXPECT_EQ(router_.Match("GET", "/api/v1/database/%6cist").route, list_);
  EXPECT_EQ(router_.Match("GET", "/api/v1/database/%6").outcome, Outcome::kMalformedPath);
}

TEST_F(RouterTest, RefusesDefectsAtStart) {
  EXPECT_DEATH(router_.Add("GET", "/api/v1/database/{other}/ontology"), "");
  EXPECT_DEATH(router_.Add("GET", "no-slash"), "");
  EXPECT_DEATH(router_.Add("GET", "/{a"), "");
}

}  // namespace
}  // namespace saffron
