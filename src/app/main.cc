// The program `saffron`.
#include <malloc.h>
#include <unistd.h>

#include <iostream>

#include "app/cli.h"

namespace {

// What is freed goes back to the system. Left alone, the allocator of the C library keeps a heap
// for each of up to eight times as many arenas as cores, never gives back what lies below a block
// still in use, and learns from the first large buffer that is freed to put later ones there too.
void BoundTheHeap() {
  ::mallopt(M_ARENA_MAX, 4);
  ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

}  // namespace

int main(int argc, char** argv) {
  BoundTheHeap();
  saffron::CliFunctions functions{.serve = saffron::RunServe};
  saffron::Console console{std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1};
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return saffron::RunCli(std::move(arguments), saffron::ProcessEnvironment(), functions, console);
}
