#include "services/oms/auth.h"

#include <algorithm>

#include "base/sha256.h"
#include "services/oms/http_answers.h"

namespace saffron {
namespace {

// In constant time, and without telling the length: digests are compared, bit by bit or'ed.
bool SameSecret(std::string_view given, std::string_view expected) {
  const Sha256Digest a = Sha256(given), b = Sha256(expected);
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  }
  return difference == 0 && !expected.empty();
}

std::optional<std::string_view> TokenOf(const HttpHeaders& headers) {
  if (auto token = headers.Find("X-Admin-Token")) return token;
  auto header = headers.Find("Authorization");
  if (!header || header->size() < 7) return std::nullopt;
  if (!EqualsIgnoreCase(header->substr(0, 7), "Bearer ")) return std::nullopt;
  std::string_view token = header->substr(7);
  while (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kAnyone: return "anyone";
    case Role::kReader: return "reader";
    case Role::kWriter: return "writer";
    case Role::kAdmin: return "admin";
  }
  return "anyone";
}

Status CheckAuthOptions(const AuthOptions& options, bool on_loopback, bool all_embedded) {
  if (options.require == AuthOptions::Require::kNo || options.any_token()) return Ok();
  if (options.require == AuthOptions::Require::kYes) {
    return Invalid(
        "OMS_REQUIRE_AUTH=true needs OMS_ADMIN_TOKEN, OMS_WRITE_TOKEN or "
        "SAFFRON_READ_TOKEN");
  }
  if (on_loopback && all_embedded) return Ok();
  return Invalid(
      "without OMS_ADMIN_TOKEN, OMS_WRITE_TOKEN or SAFFRON_READ_TOKEN the server runs "
      "only on loopback with embedded backends; set one, or OMS_REQUIRE_AUTH=false");
}

Role Authenticator::RoleOf(std::string_view token) const {
  // All three are compared, whichever matches.
  const bool reader = SameSecret(token, options_.read_token);
  const bool writer = SameSecret(token, options_.write_token);
  const bool admin = SameSecret(token, options_.admin_token);
  return admin ? Role::kAdmin : writer ? Role::kWriter : reader ? Role::kReader : Role::kAnyone;
}

Authenticator::Decision Authenticator::Decide(const HttpHeaders& headers, Role needed) const {
  if (options_.require == AuthOptions::Require::kNo || !options_.any_token()) {
    return {Role::kAdmin, std::nullopt};
  }
  if (needed == Role::kAnyone) return {Role::kAnyone, std::nullopt};
  std::optional<std::string_view> token = TokenOf(headers);
  if (!token || token->empty()) {
    HttpResponse refusal = ApiError(401, "a bearer token is required");
    refusal.headers.Add("WWW-Authenticate", "Bearer");
    return {Role::kAnyone, std::move(refusal)};
  }
  const Role role = RoleOf(*token);
  if (role == Role::kAnyone) return {role, ApiError(403, "the token is not known")};
  if (role < needed) {
    return {role, ApiError(403, "this needs the role " + std::string(RoleName(needed)))};
  }
  return {role, std::nullopt};
}

}  // namespace saffron
