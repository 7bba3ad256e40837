#include "adapters/directory/directory_errors.h"

#include <cerrno>
#include <system_error>

namespace saffron {

Error FileError(std::string_view action, std::string_view path, int error) {
  std::string message = "cannot " + std::string(action) + " " + std::string(path) + ": ";
  switch (error) {
    case ENOSPC: return Unavailable(message + "no space left on device");
    case EDQUOT: return Unavailable(message + "no space left within the disk quota");
    case ENOTDIR:
    case EISDIR: return Invalid(message + "a part of the key is an object, or the key a folder");
    case ENAMETOOLONG: return Invalid(message + "the name is too long for the file system");
    default: return Unavailable(message + std::generic_category().message(error));
  }
}

}  // namespace saffron
