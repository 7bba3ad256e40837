#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "adapters/elasticsearch/elasticsearch_test_home.h"

namespace saffron {
namespace {

TEST(ElasticsearchRestartTest, WhatWasAcknowledgedOutlivesANodeKilledUnderLoad) {
  auto started = RealServer::Start("opensearch");
  if (!started.ok() && !ServersAreRequired()) GTEST_SKIP() << started.error().ToString();
  ASSERT_TRUE(started.ok()) << started.error().ToString();
  RealServer& server = **started;
  ElasticsearchHome home(server.address());
  auto index = home.Open();
  std::atomic<std::uint64_t> acknowledged{0}, errors{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t round = 1; !stop; ++round) {
      std::vector<SearchDocument> documents;
      for (int i = 0; i < 50; ++i) {
        documents.push_back(OrderDocument(std::to_string(i), round, R"({"n":1})"));
      }
      auto written = index->Write(documents);
      const bool marked =
          written.ok() && index->Refresh().ok() && index->SetWatermark(std::to_string(round)).ok();
      if (marked) {
        acknowledged = round;
      } else {
        ++errors;
      }
    }
  });
  const auto reach = [&](std::uint64_t round) {
    for (int i = 0; i < 600 && acknowledged < round; ++i) home.runtime().SleepFor(milliseconds(50));
    return acknowledged >= round;
  };
  EXPECT_TRUE(reach(3));
  server.Kill();
  const std::uint64_t before = acknowledged;
  EXPECT_TRUE(server.Up().ok());
  auto watermark = index->Watermark();
  ASSERT_TRUE(watermark.ok()) << watermark.error().ToString();
  EXPECT_GE(std::stoull(*watermark), before);
  for (int i = 0; i < 50; ++i) {
    EXPECT_GE(VersionOf(*index, std::to_string(i)), std::stoull(*watermark)) << i;
  }
  EXPECT_TRUE(reach(before + 3));  // it goes on by itself
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace saffron
