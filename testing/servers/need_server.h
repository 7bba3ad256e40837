// What a test does without its server: in SetUp, or in the test itself, where both end it. A
// failure told from anywhere else lets the body run on nothing.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

namespace saffron {

// Where every server must be there: CI sets SAFFRON_REQUIRE_SERVERS.
inline bool ServersAreRequired() { return std::getenv("SAFFRON_REQUIRE_SERVERS") != nullptr; }

}  // namespace saffron

// A visible skip, and in CI a failure.
#define SAFFRON_NO_SERVER(name)                                           \
  do {                                                                    \
    if (::saffron::ServersAreRequired()) FAIL() << "no server: " << name; \
    GTEST_SKIP() << "no server: " << name;                                \
  } while (false)
