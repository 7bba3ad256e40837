// What opening an engine does about the bucket, database or index of this deployment when it is not
// there: a service makes it, who only looks is told kNotFound.
#pragma once

namespace saffron {

enum class WhenMissing { kMake, kRefuse };

}  // namespace saffron
