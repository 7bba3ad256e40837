// Who may do what: three tokens, three roles.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace saffron {

// Ordered: each may do what those before it may.
enum class Role { kAnyone, kReader, kWriter, kAdmin };
std::string_view RoleName(Role role);

struct AuthOptions {
  enum class Require {
    kUnset,
    kYes,
    kNo,  // everybody is admin, whatever tokens are set
  };
  std::string admin_token;
  std::string write_token;
  std::string read_token;
  Require require = Require::kUnset;

  bool any_token() const {
    return !admin_token.empty() || !write_token.empty() || !read_token.empty();
  }
};

// kInvalid: must not start so. Without a token only a server on loopback with embedded backends
// runs, unless authentication is switched off by name.
Status CheckAuthOptions(const AuthOptions& options, bool on_loopback, bool all_embedded);

// Immutable; any thread.
class Authenticator {
 public:
  explicit Authenticator(AuthOptions options) : options_(std::move(options)) {}

  // The role of "Authorization: Bearer" or "X-Admin-Token". 401 without any, 403 when it is wrong
  // or weaker than `needed`.
  struct Decision {
    Role role = Role::kAnyone;
    std::optional<HttpResponse> refusal;
  };
  Decision Decide(const HttpHeaders& headers, Role needed) const;

 private:
  Role RoleOf(std::string_view token) const;

  const AuthOptions options_;
};

}  // namespace saffron
