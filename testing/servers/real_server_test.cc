#include "testing/servers/real_server.h"

#include <gmock/gmock.h>

#include <cstdlib>

namespace saffron {
namespace {

TEST(RealServerTest, AnUnknownOneIsAnError) {
  EXPECT_TRUE(RealServer::Start("no-such-server").Is(Code::kUnavailable));
  EXPECT_EQ(SharedServer("no-such-server"), nullptr);
}

TEST(RealServerTest, ItKeepsItsAddressAndDataAndIsStoppedWithTheObject) {
  auto started = RealServer::Start("postgres");
  if (!started.ok() && !ServersAreRequired()) GTEST_SKIP() << started.error().ToString();
  ASSERT_TRUE(started.ok()) << started.error().ToString();
  RealServer& server = **started;
  const std::string address = server.address();
  EXPECT_THAT(address, testing::StartsWith("postgresql://"));
  auto ask = [&](const std::string& sql) {
    return std::system(("psql -q '" + address + "' -c '" + sql + "' >/dev/null 2>&1").c_str());
  };
  EXPECT_EQ(ask("create table kept (n int)"), 0);
  server.Kill();
  EXPECT_NE(ask("select n from kept"), 0);
  ASSERT_TRUE(server.Up().ok());
  EXPECT_EQ(server.address(), address);
  EXPECT_EQ(ask("select n from kept"), 0);
  started->reset();
  EXPECT_NE(ask("select n from kept"), 0);
}

}  // namespace
}  // namespace saffron
