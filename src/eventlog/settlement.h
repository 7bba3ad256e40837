// Settling: what a slot of the log does to the registry. FINALIZE, the resolver, the fence and a
// rebuild all apply a slot by the same function, so the registry is a fold of the log.
// Pure; docs/event-log.md, steps FINALIZE and UNDO.
#pragma once

#include "eventlog/draft.h"
#include "eventlog/slot.h"

namespace saffron {

// May this process change the registry in the ordinary protocol? Not before it was fenced for the
// engine's present incarnation.
bool Fenced(const RegistryRows& rows);
// Slot numbers only rise. A registry that would hand out one at or below `handed`, which was handed
// out before its rows were read, has lost its tail.
bool LostTail(const RegistryRows& rows, SlotNumber handed);

void AddReads(const Slot& slot, RegistryRead& read);
void AddReads(const Reservation& reservation, RegistryRead& read);

// Applies a batch (its reservation is dropped, if it is still there). Idempotent; never lowers a
// number; a command has one outcome, the first applied.
void Settle(Draft& draft, const Slot& slot);

// The slot of the reservation is a tombstone (or another batch): takes back what only it reserved.
void Undo(Draft& draft, const BatchId& batch);

}  // namespace saffron
