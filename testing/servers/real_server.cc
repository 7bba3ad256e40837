#include "testing/servers/real_server.h"

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>

namespace saffron {

Result<std::unique_ptr<RealServer>> RealServer::Start(const std::string& name) {
  std::string folder = std::filesystem::temp_directory_path() / ("saffron-" + name + "-XXXXXX");
  if (::mkdtemp(folder.data()) == nullptr) return Unavailable("mkdtemp " + folder);
  std::unique_ptr<RealServer> server(
      new RealServer(std::string(SAFFRON_SERVER_SCRIPTS) + "/" + name + ".sh", folder));
  SAFFRON_TRY(server->Up());
  return server;
}

RealServer::RealServer(std::string script, std::string folder)
    : script_(std::move(script)), folder_(std::move(folder)) {}

RealServer::~RealServer() {
  Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void RealServer::Down() { (void)Run("down '" + folder_ + "'"); }
void RealServer::Kill() { (void)Run("down '" + folder_ + "' -9"); }

Status RealServer::Up() {
  SAFFRON_ASSIGN(std::string printed, Run("up '" + folder_ + "'"));
  address_ = printed.substr(printed.rfind('\n') + 1);
  return Ok();
}

// The last lines it prints, without the end of the last.
Result<std::string> RealServer::Run(const std::string& arguments) const {
  std::FILE* pipe = ::popen(("'" + script_ + "' " + arguments).c_str(), "re");
  if (pipe == nullptr) return Unavailable("popen " + script_);
  std::string printed;
  char buffer[1024];
  while (std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) {
    printed.append(buffer, size);
  }
  const int status = ::pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Unavailable(script_ + " " + arguments + " failed");
  }
  while (printed.ends_with('\n')) printed.pop_back();
  return printed;
}

RealServer* SharedServer(const std::string& name) {
  static std::map<std::string, std::unique_ptr<RealServer>> servers;
  auto at = servers.find(name);
  if (at == servers.end()) {
    Result<std::unique_ptr<RealServer>> started = RealServer::Start(name);
    if (!started.ok()) std::fprintf(stderr, "%s\n", started.error().ToString().c_str());
    at = servers.emplace(name, started.ok() ? std::move(*started) : nullptr).first;
  }
  return at->second.get();
}

}  // namespace saffron
