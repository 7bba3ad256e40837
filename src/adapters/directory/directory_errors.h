// What an errno of a file operation means to the caller of an object store.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace saffron {

// "cannot write /data/objects/events: no space left on device". Nothing was written.
Error FileError(std::string_view action, std::string_view path, int error);

}  // namespace saffron
