#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <thread>
#include <vector>

namespace saffron {
namespace {

class LogTest : public testing::Test {
 protected:
  static WallTime Clock() { return WallTime{0}; }
  Log::Sink Keep() {
    return [this](std::string_view line) { lines_.emplace_back(line); };
  }
  std::string Json(std::string_view event, Log::Fields fields) {
    Log log({.level = LogLevel::kDebug, .format = LogFormat::kJson}, Clock, Keep());
    log.Info(event, fields);
    return lines_.back();
  }

  std::vector<std::string> lines_;
};

TEST_F(LogTest, WritesTextForPeople) {
  Log log({.level = LogLevel::kInfo, .format = LogFormat::kText}, Clock, Keep());
  log.Warning("slot_late", {{"slot", SlotNumber(12)},
                            {"batch_id", BatchId(Uuid::NamespaceUrl())},
                            {"why", "lost answer"},
                            {"key", "a=b"},
                            {"none", ""},
                            {"shard", 0},
                            {"seconds", 0.25},
                            {"ours", true}});
  EXPECT_EQ(lines_.at(0),
            "1970-01-01T00:00:00.000Z warning slot_late slot=12 "
            "batch_id=6ba7b811-9dad-11d1-80b4-00c04fd430c8 why=\"lost answer\" key=\"a=b\" "
            "none=\"\" shard=0 seconds=0.25 ours=true\n");
}

TEST_F(LogTest, WritesJsonLines) {
  EXPECT_EQ(Json("slot_committed", {{"slot", 12u}, {"delta", -3}, {"ok", false}, {"s", 1e300}}),
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"event\":"
            "\"slot_committed\",\"slot\":12,\"delta\":-3,\"ok\":false,\"s\":1e+300}\n");
}

TEST_F(LogTest, JsonHasNoInfinity) {
  EXPECT_THAT(Json("e", {{"x", std::numeric_limits<double>::infinity()},
                         {"y", std::numeric_limits<double>::quiet_NaN()}}),
              testing::HasSubstr("\"x\":null,\"y\":null}"));
}

TEST_F(LogTest, EscapesJson) {
  EXPECT_THAT(Json("e", {{"x", std::string_view("a\"b\\c\n\r\t\x01\x7f\0z", 12)}}),
              testing::HasSubstr(R"("x":"a\"b\\c\n\r\t\u0001\u007f\u0000z"})"));
}

TEST_F(LogTest, KeepsUtf8AndReplacesWhatIsNot) {
  EXPECT_THAT(Json("e", {{"x", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"}}),
              testing::HasSubstr("\"x\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}"));
  const std::string bad = "\xef\xbf\xbd";
  // A lone continuation, an overlong form, a surrogate, above U+10FFFF, a cut sequence.
  EXPECT_THAT(Json("e", {{"x", "a\x80z"}}), testing::HasSubstr("\"a" + bad + "z\""));
  EXPECT_THAT(Json("e", {{"x", "\xc0\xaf"}}), testing::HasSubstr("\"" + bad + bad + "\""));
  EXPECT_THAT(Json("e", {{"x", "\xed\xa0\x80"}}),
              testing::HasSubstr("\"" + bad + bad + bad + "\""));
  EXPECT_THAT(Json("e", {{"x", "\xf4\x90\x80\x80"}}),
              testing::HasSubstr("\"" + bad + bad + bad + bad + "\""));
  EXPECT_THAT(Json("e", {{"x", "\xe2\x82"}}), testing::HasSubstr("\"" + bad + bad + "\""));
}

TEST_F(LogTest, ADisabledLevelCallsNeitherClockNorSink) {
  int calls = 0;
  Log log(
      {.level = LogLevel::kWarning, .format = LogFormat::kText},
      [&] {
        ++calls;
        return WallTime();
      },
      [&](std::string_view) { ++calls; });
  log.Debug("a");
  log.Info("b");
  EXPECT_EQ(calls, 0);
  log.Error("c");
  EXPECT_EQ(calls, 2);
  Log none = Log::Discard();
  EXPECT_FALSE(none.Enabled(LogLevel::kError));
}

TEST_F(LogTest, LinesOfThreadsDoNotMix) {
  Log log({.level = LogLevel::kInfo, .format = LogFormat::kText}, Clock, Keep());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 250; ++i) log.Info("e", {{"t", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines_.size(), 1000u);
}

TEST_F(LogTest, WritesToADescriptor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Log log({.level = LogLevel::kInfo, .format = LogFormat::kText}, Clock,
          Log::DescriptorSink(ends[1]));
  log.Info("started");
  char text[100];
  ssize_t size = read(ends[0], text, sizeof text);
  close(ends[0]);
  close(ends[1]);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(size)),
            "1970-01-01T00:00:00.000Z info started\n");
}

}  // namespace
}  // namespace saffron
