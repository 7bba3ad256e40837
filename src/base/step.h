// Named steps: points at which a test kills, pauses or holds up a real process. They exist only in
// `saffron_steps`, the same program built with SAFFRON_TEST_STEPS, where testing/steps/steps.cc
// says what happens at them; in any other program a step is nothing, not even its name.
#pragma once

#ifdef SAFFRON_TEST_STEPS
namespace saffron {
void ReachStep(const char* name);
}
#define SAFFRON_STEP(name) ::saffron::ReachStep(name)
#else
#define SAFFRON_STEP(name) static_cast<void>(0)
#endif
