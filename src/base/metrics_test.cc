#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace saffron {
namespace {

using testing::HasSubstr;

TEST(MetricsTest, ExposesWhatWasCounted) {
  Metrics metrics;
  metrics.NewCounter("saffron_append_commands_total", "Commands.", {{"result", "ok"}}).Increment(3);
  metrics.NewGauge("saffron_append_queue_events", "Queued.").Set(7);
  metrics.NewHistogram("saffron_append_commit_seconds", "Commit.", {0.1, 1}).Observe(0.5);
  std::string text = metrics.Expose();
  EXPECT_THAT(text, HasSubstr("# TYPE saffron_append_commands_total counter\n"
                              "saffron_append_commands_total{result=\"ok\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("# HELP saffron_append_queue_events Queued.\n"));
  EXPECT_THAT(text, HasSubstr("saffron_append_queue_events 7\n"));
  EXPECT_THAT(text, HasSubstr("saffron_append_commit_seconds_bucket{le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("saffron_append_commit_seconds_bucket{le=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("saffron_append_commit_seconds_bucket{le=\"+Inf\"} 1\n"));
}

TEST(MetricsTest, TheSameNameAndLabelsAreTheSameMetric) {
  Metrics metrics;
  auto& first = metrics.NewCounter("a_total", "A.", {{"x", "1"}});
  EXPECT_EQ(&first, &metrics.NewCounter("a_total", "A.", {{"x", "1"}}));
  EXPECT_NE(&first, &metrics.NewCounter("a_total", "A.", {{"x", "2"}}));
}

TEST(MetricsTest, BucketsAscend) {
  for (const auto& buckets :
       {Metrics::SecondsBuckets(), Metrics::CountBuckets(), Metrics::BytesBuckets()}) {
    EXPECT_GT(buckets.size(), 5u);
    EXPECT_TRUE(std::is_sorted(buckets.begin(), buckets.end()));
  }
}

TEST(MetricsDeathTest, ABadNameIsABrokenInvariant) {
  Metrics metrics;
  EXPECT_DEATH(metrics.NewCounter("requests", "No _total."), "broken invariant");
  EXPECT_DEATH(metrics.NewGauge("a total", "A space."), "broken invariant");
  metrics.NewGauge("twice", "A gauge.");
  EXPECT_DEATH(metrics.NewHistogram("twice", "And a histogram.", {1}), "broken invariant");
}

}  // namespace
}  // namespace saffron
