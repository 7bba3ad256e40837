// What a switch of fibers costs: a simulated run makes millions of them.
#include <benchmark/benchmark.h>

#include "base/channel.h"
#include "testing/sim/sim_runtime.h"

namespace saffron {
namespace {

constexpr int kRounds = 100'000;

void YieldBetweenFibers(benchmark::State& state) {
  std::uint64_t switches = 0;
  for (auto _ : state) {
    Simulation simulation({.seed = 1});
    SimProcess process(simulation, "p");
    TaskGroup tasks(process);
    for (int fiber = 0; fiber < state.range(0); ++fiber) {
      tasks.Spawn("f", [&] {
        for (int i = 0; i < kRounds; ++i) simulation.Yield();
      });
    }
    tasks.JoinAll();
    switches += simulation.switches();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(switches));
}
BENCHMARK(YieldBetweenFibers)->Arg(2)->Arg(50)->Unit(benchmark::kMillisecond);

void SleepingFibers(benchmark::State& state) {
  std::uint64_t switches = 0;
  for (auto _ : state) {
    Simulation simulation({.seed = 1});
    SimProcess process(simulation, "p");
    TaskGroup tasks(process);
    for (int fiber = 0; fiber < state.range(0); ++fiber) {
      tasks.Spawn("f", [&process, fiber] {
        for (int i = 0; i < kRounds; ++i) process.SleepFor(Duration(1000 + fiber));
      });
    }
    tasks.JoinAll();
    switches += simulation.switches();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(switches));
}
BENCHMARK(SleepingFibers)->Arg(50)->Unit(benchmark::kMillisecond);

void HandOverThroughAChannel(benchmark::State& state) {
  for (auto _ : state) {
    Simulation simulation({.seed = 1});
    SimProcess process(simulation, "p");
    Channel<int> channel(process, 1);
    TaskGroup tasks(process);
    tasks.Spawn("push", [&] {
      for (int i = 0; i < kRounds; ++i) channel.Push(i, Instant::Max());
    });
    tasks.Spawn("pop", [&] {
      for (int i = 0; i < kRounds; ++i) channel.Pop(Instant::Max());
    });
    tasks.JoinAll();
  }
  state.SetItemsProcessed(state.iterations() * kRounds);
}
BENCHMARK(HandOverThroughAChannel)->Unit(benchmark::kMillisecond);

void ASimulationOfFiftyFibersAndPooledStacks(benchmark::State& state) {
  FiberPool pool;
  for (auto _ : state) {
    Simulation simulation({.seed = 1, .pool = &pool});
    SimProcess process(simulation, "p");
    TaskGroup tasks(process);
    for (int fiber = 0; fiber < 50; ++fiber) tasks.Spawn("f", [&] { simulation.Yield(); });
    tasks.JoinAll();
  }
}
BENCHMARK(ASimulationOfFiftyFibersAndPooledStacks)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace saffron
