// Where a command writes: results to `out`, everything about how it goes to `err`.
#pragma once

#include <ostream>

namespace saffron {

struct Console {
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;  // a person watches `err`
};

}  // namespace saffron
