// What the object store on S3 reports. Made once by the process; any thread.
#pragma once

#include <string_view>

#include "base/metrics.h"
#include "base/runtime.h"

namespace saffron {

class S3Metrics {
 public:
  explicit S3Metrics(Metrics& metrics);
  // One request: a call of the port takes one, and one more for each repetition.
  void Requested(std::string_view method, Duration took);
  void Repeated();
  void AskedToSlowDown();
  void ReadCorrupt();

 private:
  Metrics::Counter &puts_, &gets_, &others_, &repeated_, &slow_downs_, &corrupt_;
  Metrics::Histogram& seconds_;
};

}  // namespace saffron
