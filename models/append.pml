/* append.pml: the append protocol of docs/event-log.md for SPIN. models/README.md explains it.
 *
 * Steps in capitals are steps of the page and of src/eventlog:
 *   RESERVE              admission.cc, lane.cc (Reserve)
 *   COMMIT, ACK          lane.cc (Commit, ReadBack, Acknowledge); the PUT lands in Store below
 *   FINALIZE, UNDO       settlement.cc (Settle, Undo)
 *   TAKE, TOMBSTONE      resolver.cc (Take, TombstoneOrSlot)
 *   LOCK, INVALIDATE, NEXT, APPLY, FINISH    recovery.cc (RecoverUnlessFenced, class Fence)
 *   START                recovery.cc (OpenRegistry, NeededRecovery)
 *
 * Every step uses something up (a batch id, an absent slot, a reservation, a fault's budget), so
 * the state graph has no cycle and each run ends. "Everything settles once faults stop" is
 * therefore "every terminal state is settled", which Monitor asserts.
 *
 * LANES=0: what may be done about a batch depends only on the log and the registry, so any batch
 * may be carried on by "anyone": any number of lanes and resolvers. A crash is a step never taken,
 * a pause one taken late, a retry one taken again. LANES=n, RES=m: n lanes and m resolvers with
 * program counters, which crash and give up. A PUT requested once lands at any later time, or is
 * lost. There is no clock: every reservation may be taken for expired at any time.
 */
#ifndef NSLOT
#define NSLOT 6          /* slots 1..NSLOT; a run that needs more is not judged by Monitor */
#endif
#ifndef F
#define F 2              /* max_outstanding_reservations */
#endif
#ifndef MAXB
#define MAXB 4           /* batches that are ever reserved, over all histories of the registry */
#endif
#ifndef NCMD
#define NCMD 3
#endif
#ifndef MAXROLL
#define MAXROLL 1        /* how often the registry falls back */
#endif
#ifndef MAXSNAP
#define MAXSNAP 1        /* states it may fall back to, besides the empty one */
#endif
#ifndef FCRASH
#define FCRASH 1         /* crashes of a fencing process */
#endif
#ifndef NF
#define NF 2             /* processes that may fence: one that was paused and its successor */
#endif
#ifndef LANES
#define LANES 0
#endif
#ifndef RES
#define RES 2
#endif
#ifdef kFenceTooShort
#define TOMBSTONES (F-1)
#else
#define TOMBSTONES F
#endif

/* Commands 1..NCMD. AGG: the aggregate, 0 or 1. EXP: expected_seq. CHK: expected_seq of a
 * check-only precondition on the other aggregate. TX: commands 1 and 2 are one request. */
#define NO 99
#ifdef TX
#define AGG(c) ((c)>1)
#else
#define AGG(c) ((c)==3)
#endif
#ifdef NOEXP
#define EXP(c) NO
#else
#define EXP(c) ((c)==2 -> 1-AGG(c) : NO)
#endif
#ifdef CHECKS
#define CHK(c) ((c)==3 -> 1 : NO)
#else
#define CHK(c) NO
#endif

/* ---- the object store ---- */
#define TOMB 32          /* a tombstone; OWN+i while the fence of process i has not counted it */
#define OWN  64
byte log[NSLOT+2];       /* 0 absent, b batch, or a tombstone */
#define ISBATCH(x) ((x)>0 && (x)<TOMB)
#define ISTOMB(x)  ((x)>=TOMB)
byte sent, tsent;        /* PUTs on their way, bit b: of batch b; of the resolver's tombstone */
byte fsent[NSLOT+2];     /* of the fence's tombstone, bit i */
#ifdef kFenceTombstoneIsForeign
#define FORGETNOTHING     /* a lane may look at its slot long after */
#define NILTOMB OWN      /* must be told from one that names a batch */
#else
#define NILTOMB TOMB
#endif

/* Batches, immutable: header line, commands in order (bc2 may be 0), the numbers they were given */
byte nb, bslot[MAXB+1], bc1[MAXB+1], bc2[MAXB+1], bn1[MAXB+1], bn2[MAXB+1];

/* ---- the registry: control, reservations, aggregate rows, command rows ---- */
byte inc = 1;                        /* fenced_incarnation; 0: empty */
byte next = 1;                       /* next_slot */
byte res;                            /* reservations, bit b */
byte acc[2], pb[2], pn[2];           /* accepted number; pending: batch, number */
byte crow[NCMD+1], cslot[NCMD+1];    /* command row: batch until settled, then the slot */
#define IN(b)    ((res>>(b))&1)
#define KNOWN(c) (crow[c]!=0 || cslot[c]!=0)
/* what it falls back to */
byte s_inc = 1, s_next = 1, s_res, s_acc[2], s_pb[2], s_pn[2], s_crow[NCMD+1], s_cslot[NCMD+1];

byte live = 1;                       /* the incarnation of its engine */
byte lock;                           /* the fence's lock: process; lost when the engine restarts */
byte rolls, snaps, fcrashes;         /* faults used up */
bit  contradicted;                   /* registry_contradicted */
byte handed;                         /* highest_handed, of the one process of EXCLUSIVE */
byte foreign;                        /* ghost: batches whose lane met another batch, bit b */

#ifdef kIgnoreIncarnation
#define SERVED (1)
#else
#define SERVED (inc==live)
#endif
#if defined(EXCLUSIVE) && !defined(kIgnoreLostTail)
#define ADMITS (SERVED && next>handed)
#else
#define ADMITS SERVED
#endif

hidden byte i, j, x, w[2], fld[2], inlog[NCMD+1];

/* ---- the judge: I1 to I5 from the log alone, then every answer the registry could give ---- */
inline foldcommand(c, n) {
  if :: c != 0 ->
    assert(inlog[c] == 0);                                   /* I5, I1: in one slot at most */
    assert(EXP(c) == NO || EXP(c) == fld[AGG(c)]);           /* I4 */
    assert(CHK(c) == NO || CHK(c) == fld[1-AGG(c)]);         /* I4 of a check */
    fld[AGG(c)] = fld[AGG(c)] + 1;
    assert(n == fld[AGG(c)]);                                /* I2, I3: dense, in slot order */
    inlog[c] = x
  :: else fi
}
inline JUDGE() {
  fld[0] = 0; fld[1] = 0;
  for (j : 1 .. NCMD) { inlog[j] = 0 }
  for (j : 1 .. NSLOT) {
    x = log[j];
    if :: ISBATCH(x) ->
#ifdef TX
         assert((bc1[x] == 1) == (bc2[x] == 2));             /* whole, or not at all */
#endif
         foldcommand(bc1[x], bn1[x]); foldcommand(bc2[x], bn2[x])
       :: else fi
  }
  if :: ADMITS ->
       for (j : 0 .. 1) { assert(pb[j] != 0 || acc[j] == fld[j]) }   /* a 409 shows the truth */
       for (j : 1 .. NCMD) {
         assert(cslot[j] == 0 || inlog[j] != 0);             /* I1: a duplicate's answer is true */
         assert(inlog[j] == 0 || KNOWN(j));                  /* nothing committed is unknown */
#ifdef kAnswerPendingDuplicate
         assert(crow[j] == 0 || inlog[j] != 0)
#endif
       }
     :: else fi;
  skip
}

/* ---- registry transactions ---- */
inline settlecommand(c, n, b) {
  if :: c != 0 ->
#ifdef kSettlingLowersNumbers
    acc[AGG(c)] = n;
#else
    if :: acc[AGG(c)] < n -> acc[AGG(c)] = n :: else fi;
#endif
    if :: pb[AGG(c)] == b -> pb[AGG(c)] = 0; pn[AGG(c)] = 0 :: else fi;
    if :: cslot[c] == 0 -> crow[c] = 0; cslot[c] = bslot[b] :: else fi
  :: else fi
}
inline FINALIZE(b) {
  settlecommand(bc1[b], bn1[b], b); settlecommand(bc2[b], bn2[b], b);
  res = res & (255-(1<<b))
}
/* A late lane may FINALIZE at any time: a step only where that changes something. */
#define OPENROW(c,n) ((c)!=0 && (acc[AGG(c)]<(n) || cslot[c]==0))
#ifdef kSettlingLowersNumbers
#define TOFINALIZE(b) (IN(b) || acc[AGG(bc1[b])]!=bn1[b])
#else
#define TOFINALIZE(b) (IN(b) || OPENROW(bc1[b],bn1[b]) || OPENROW(bc2[b],bn2[b]))
#endif
inline undocommand(c, b) { if :: c != 0 && crow[c] == b -> crow[c] = 0 :: else fi }
inline UNDO(b) {
  if :: IN(b) ->
    if :: pb[0] == b -> pb[0] = 0; pn[0] = 0 :: else fi;
    if :: pb[1] == b -> pb[1] = 0; pn[1] = 0 :: else fi;
    undocommand(bc1[b], b); undocommand(bc2[b], b);
    res = res & (255-(1<<b))
  :: else fi;
  skip
}

/* RESERVE. Duplicates, deferrals and refusals change nothing: JUDGE proves their answers. */
#ifdef kIgnorePending
#define FREE(c) (1)
#else
#define FREE(c) (pb[AGG(c)]==0 && (CHK(c)==NO || pb[1-AGG(c)]==0))
#endif
#define WORKING(a) (pb[a]!=0 -> pn[a] : acc[a])
#ifdef kIgnoreExpectedSeq
#define MEETS(c,s0,s1) (CHK(c)==NO || CHK(c)==(AGG(c) -> s0 : s1))
#else
#define MEETS(c,s0,s1) ((EXP(c)==NO || EXP(c)==(AGG(c) -> s1 : s0)) && \
                        (CHK(c)==NO || CHK(c)==(AGG(c) -> s0 : s1)))
#endif
#if defined(kNoDedupe)
#define UNKNOWN(c) (crow[c]==0)
#elif defined(kFreshForEver)             /* command 1 had no key: its id was once fresh */
#define UNKNOWN(c) (!KNOWN(c) || ((c)==1 && crow[c]==0))
#else
#define UNKNOWN(c) (!KNOWN(c))
#endif
#ifdef kNoRoomLimit
#define ROOM (1)
#else
#define ROOM (IN(1)+IN(2)+IN(3)+IN(4)+IN(5)+IN(6) < F)
#endif
#define CANDIDATE(c) ((c)<=NCMD && UNKNOWN(c) && FREE(c))
#define RESERVABLE(c) (ADMITS && ROOM && nb<MAXB && next<=NSLOT && CANDIDATE(c) && \
                       MEETS(c, WORKING(0), WORKING(1)))
inline admit(c, bc, bn) {
  w[AGG(c)] = w[AGG(c)] + 1;
  bc = c; bn = w[AGG(c)]; pb[AGG(c)] = nb; pn[AGG(c)] = bn; crow[c] = nb
}
inline RESERVE(c, d) {
  w[0] = WORKING(0); w[1] = WORKING(1);
  nb++; bslot[nb] = next; next++; handed = (handed>=bslot[nb] -> handed : bslot[nb]);
  admit(c, bc1[nb], bn1[nb]);
  if :: d != 0 && MEETS(d, w[0], w[1]) -> admit(d, bc2[nb], bn2[nb])
     :: else ->
#ifdef kRefuseBeforeCommit
        assert(d == 0)           /* its 409 shows a number that may never be committed */
#endif
        skip
  fi;
  res = res | (1<<nb);
#ifdef kAckBeforePut
  assert(false);                 /* told, and not in the log */
#endif
#if LANES==0
  if :: log[bslot[nb]] == 0 -> sent = sent | (1<<nb) :: else fi;
#endif
  skip
}

/* Forgets what cannot matter any more: PUTs to a slot that is taken, batches that were undone. */
inline NORM() {
  for (j : 1 .. NSLOT) { if :: log[j] != 0 -> fsent[j] = 0 :: else fi }
  for (j : 1 .. MAXB) {
    if :: bslot[j] != 0 && log[bslot[j]] != 0 ->
         sent = sent & (255-(1<<j)); tsent = tsent & (255-(1<<j));
#if LANES==0 && !defined(FORGETNOTHING)
         if :: ISTOMB(log[bslot[j]]) && !IN(j) && ((s_res>>j)&1) == 0 ->
              bc1[j] = 0; bc2[j] = 0; bn1[j] = 0; bn2[j] = 0; bslot[j] = 0
            :: else fi
#endif
       :: else fi
  }
  skip
}

/* ---- COMMIT and TOMBSTONE as the store sees them: a PUT lands once, at any time, if ever ---- */
#define MINE(k)    (log[bslot[k]]==k)
#define FOREIGN(k) (ISBATCH(log[bslot[k]]) && log[bslot[k]]!=k)
/* Only a registry that is not of this log's state may be contradicted: never in these runs. */
inline CONTRADICT(k) {
#ifndef EXCLUSIVE
  assert(false);
#endif
  contradicted = 1; foreign = foreign | (1<<k)
}
#ifdef kResolverKeepsWhatItTook
#define FREETOTAKE(k) (((foreign>>(k))&1)==0)     /* here: taken by a resolver that has died */
#else
#define FREETOTAKE(k) (1)
#endif
proctype Store(byte k) {
end: do
  :: d_step { ((sent>>k)&1) && log[bslot[k]] == 0 -> log[bslot[k]] = k; JUDGE(); NORM() }
  :: d_step { ((sent>>k)&1) && log[bslot[k]] == 0 -> sent = sent & (255-(1<<k)) }   /* lost */
  :: d_step { ((tsent>>k)&1) && log[bslot[k]] == 0 -> log[bslot[k]] = TOMB; JUDGE(); NORM() }
#if LANES==0
  :: d_step { k<=nb && SERVED && MINE(k) && TOFINALIZE(k) -> FINALIZE(k); JUDGE(); NORM() }
  :: d_step { k<=nb && SERVED && IN(k) && ISTOMB(log[bslot[k]]) ->
#ifdef kForeignTombstoneIsCommit
       res = res & (255-(1<<k));         /* settled as if it were the batch: the rows stay */
#else
       UNDO(k);
#endif
       JUDGE(); NORM() }
  :: d_step { k<=nb && SERVED && IN(k) && ((tsent>>k)&1) == 0 && log[bslot[k]] == 0 && FREETOTAKE(k) ->
       tsent = tsent | (1<<k) }
  :: d_step { k<=nb && FOREIGN(k) && ((foreign>>k)&1) == 0 -> CONTRADICT(k) }
#ifdef kFenceTombstoneIsForeign
  :: d_step { k<=nb && log[bslot[k]] == NILTOMB && ((foreign>>k)&1) == 0 -> CONTRADICT(k) }
#endif
#ifdef kResolverKeepsWhatItTook
  :: d_step { k<=nb && IN(k) && log[bslot[k]] == 0 && FREETOTAKE(k) && ((tsent>>k)&1) == 0 ->
       foreign = foreign | (1<<k) }
#endif
#ifdef kTakeAny412AsCommitted
  :: d_step { k<=nb && SERVED && IN(k) && log[bslot[k]] != 0 -> FINALIZE(k); JUDGE() }
#endif
#ifdef kFinalizeBeforePut
  :: d_step { k<=nb && SERVED && IN(k) && log[bslot[k]] == 0 -> FINALIZE(k); JUDGE() }
#endif
#ifdef kUndoWithoutTombstone
  :: d_step { k<=nb && SERVED && IN(k) && log[bslot[k]] == 0 -> UNDO(k); JUDGE() }
#endif
#endif
  od
}
/* ---- RESERVE of command c, alone or with a later one in the same batch ---- */
#if LANES==0
#define IDLELANE true
#define RESERVED_ skip
#else
#define IDLELANE st==IDLE
#define RESERVED_ st = RESERVED; b = nb
#endif
#define WITH(c,d) :: d_step { IDLELANE && (d)!=(c) && RESERVABLE(c) && CANDIDATE(d) -> \
                              RESERVE(c, d); JUDGE(); RESERVED_ }
#define ALONE(c)  :: d_step { IDLELANE && RESERVABLE(c) -> RESERVE(c, 0); JUDGE(); RESERVED_ }
#if defined(TX)
#ifdef kSplitRequest
#define WHOLE (1)
#else
#define WHOLE (MEETS(2, WORKING(0)+1, WORKING(1)))
#endif
#define TRANSACTION :: d_step { IDLELANE && RESERVABLE(1) && CANDIDATE(2) && WHOLE -> \
                                RESERVE(1, 2); JUDGE(); RESERVED_ }
#define REQUESTS TRANSACTION ALONE(3)
#elif defined(NOPAIRS)
#define REQUESTS ALONE(1) ALONE(2) ALONE(3)
#elif NCMD==2
#define REQUESTS ALONE(1) ALONE(2) WITH(1,2) WITH(2,1)
#else
#define REQUESTS ALONE(1) ALONE(2) ALONE(3) \
                 WITH(1,2) WITH(2,1) WITH(1,3) WITH(3,1) WITH(2,3) WITH(3,2)
#endif

#if LANES==0
proctype Anyone() {
end: do
  REQUESTS
#ifdef kSlotWithoutReservation
  :: d_step { ADMITS && next == 1 -> next++ }      /* admits nothing, takes a number */
#endif
#if defined(EXCLUSIVE) && !defined(kIgnoreLostTail)
  :: d_step { SERVED && next <= handed && contradicted == 0 -> contradicted = 1 }
#endif
  od
}
#else
/* ---- one lane; a crash or a give-up at the expiry forgets the batch ---- */
mtype = { IDLE, RESERVED, COMMIT, ACK };
#ifdef kFenceTombstoneIsForeign
#define ABORTED(b) (log[bslot[b]]==TOMB)
#else
#define ABORTED(b) ISTOMB(log[bslot[b]])
#endif
proctype Lane() {
  mtype st = IDLE; byte b;
end: do
  REQUESTS
  :: d_step { st==RESERVED || (st==COMMIT && log[bslot[b]] == 0 && ((sent>>b)&1) == 0) ->
       if :: log[bslot[b]] == 0 -> sent = sent | (1<<b) :: else fi; st = COMMIT }
#ifdef kTakeAny412AsCommitted
  :: d_step { st==COMMIT && log[bslot[b]] != 0 ->
#else
  :: d_step { st==COMMIT && MINE(b) ->                   /* created, or read back: our batch id */
#endif
       JUDGE(); assert(inlog[bc1[b]] == b);              /* I1 */
       assert(bc2[b] == 0 || inlog[bc2[b]] == b); st = ACK }
  :: d_step { st==COMMIT && ABORTED(b) && SERVED -> UNDO(b); JUDGE(); NORM(); st = IDLE; b = 0 }
  :: d_step { st==COMMIT && log[bslot[b]] != 0 && !MINE(b) && !ABORTED(b) ->
       CONTRADICT(b); st = IDLE; b = 0 }
  :: d_step { st==ACK && SERVED -> FINALIZE(b); JUDGE(); NORM(); st = IDLE; b = 0 }
  :: d_step { st!=IDLE -> st = IDLE; b = 0 }
  od
}
#define TAKEONE(k) :: d_step { b==0 && k<=MAXB && SERVED && IN(k) -> b = k; \
                        if :: log[bslot[k]] == 0 -> tsent = tsent | (1<<k) :: else fi; skip }
proctype Resolver() {
  byte b;
end: do
  TAKEONE(1) TAKEONE(2) TAKEONE(3) TAKEONE(4)
  :: d_step { b!=0 && SERVED && MINE(b) -> FINALIZE(b); JUDGE(); NORM(); b = 0 }
  :: d_step { b!=0 && SERVED && ISTOMB(log[bslot[b]]) ->
#ifdef kForeignTombstoneIsCommit
       res = res & (255-(1<<b));
#else
       UNDO(b);
#endif
       JUDGE(); NORM(); b = 0 }
  :: d_step { b!=0 && FOREIGN(b) -> CONTRADICT(b); b = 0 }
  :: d_step { b!=0 && !IN(b) -> b = 0 }                  /* somebody else has settled it */
  od
}
#endif

/* ---- the fence ---- */
#define NEEDED (!SERVED || contradicted)
#ifdef kFenceIgnoresOvertaking
#define SAMESTATE (1)
#else
#define SAMESTATE (live==live0)
#endif
#ifdef EXCLUSIVE
#define ENDED (pos>last)
#else
#define ENDED (own>=TOMBSTONES && pos>=floor)
#endif
inline forget() { live0 = 0; pos = 0; floor = 0; own = 0; last = 0; put = 0 }
inline unlock() { if :: lock == id && live == live0 -> lock = 0 :: else fi }
inline lowest() {                        /* the lowest unsettled slot, else next_slot */
  pos = next;
#ifndef kFenceFromNextSlot
  for (j : 1 .. MAXB) { if :: IN(j) && bslot[j] < pos -> pos = bslot[j] :: else fi }
#endif
  skip
}
inline bound() {                         /* above everything present, reserved or handed out */
  last = floor-1;
  if :: last < handed -> last = handed :: else fi;
  for (j : 1 .. NSLOT) { if :: log[j] != 0 && j > last -> last = j :: else fi }
  skip
}
inline APPLY(s) {                        /* first whatever reserved the slot and is not there */
#ifndef kFenceLeavesReservations
  for (i : 1 .. MAXB) { if :: IN(i) && bslot[i] == s && log[s] != i -> UNDO(i) :: else fi }
#endif
  if :: ISBATCH(log[s]) -> i = log[s]; FINALIZE(i) :: else fi;
  i = 0; next = (next > s -> next : s+1)
}
proctype Fence(byte id) {
  byte live0, pos, floor, own, last; bit put;
#ifdef kEveryoneFences
  bit asked;
#endif
end: do
#ifdef kEveryoneFences
  :: d_step { asked == 0 && live0 == 0 && NEEDED -> asked = 1 }
  :: d_step { asked && lock == 0 -> assert(NEEDED); asked = 0; lock = id; live0 = live }
#else
  :: d_step { live0 == 0 && lock == 0 && NEEDED -> lock = id; live0 = live }     /* LOCK */
#endif
  :: d_step { live0 != 0 && pos == 0 ->
       inc = 0; contradicted = 0; floor = next; lowest(); bound() }              /* INVALIDATE */
  :: d_step { pos != 0 && !ENDED && pos <= NSLOT && log[pos] == 0 && !put ->
       put = 1; fsent[pos] = fsent[pos] | (1<<id) }                              /* NEXT */
  :: d_step { pos != 0 && !ENDED && pos <= NSLOT && log[pos] != 0 ->
       if :: live == live0 ->
               APPLY(pos); if :: put && log[pos] == OWN+id -> own++; log[pos] = NILTOMB :: else fi;
               put = 0; pos++; JUDGE(); NORM()
          :: else -> forget() fi;
       skip }
  :: d_step { pos != 0 && ENDED ->                                               /* FINISH */
       if :: SAMESTATE ->
               inc = live; next = (next > pos -> next : pos); unlock(); JUDGE();
               assert(res == 0)          /* a registry that was fenced is the fold of the log */
          :: else fi;
       forget() }
#ifdef EXCLUSIVE
  :: d_step { live0 != 0 && live != live0 -> forget() }                          /* it died */
#endif
  :: d_step { live0 != 0 && fcrashes < FCRASH -> fcrashes++; unlock(); forget() }
  od
}
/* The tombstone of the fence of process id lands in slot s. */
#define LANDS(s,id) :: d_step { ((fsent[s]>>(id))&1) && log[s] == 0 -> log[s] = OWN+(id); NORM() }
#define LANDSIN(s) LANDS(s,1) LANDS(s,2)
proctype FenceStore() {
end: do
  LANDSIN(1) LANDSIN(2) LANDSIN(3) LANDSIN(4)
#if NSLOT>4
  LANDSIN(5)
#endif
#if NSLOT>5
  LANDSIN(6)
#endif
#if NSLOT>6
  LANDSIN(7)
#endif
#if NSLOT>7
  LANDSIN(8)
#endif
  od
}

/* ---- faults: the registry falls back, with a new incarnation unless EXCLUSIVE says otherwise ---- */
inline fallback() {
  rolls++; inc = s_inc; next = s_next; res = s_res;
  for (i : 0 .. 1) { acc[i] = s_acc[i]; pb[i] = s_pb[i]; pn[i] = s_pn[i] }
  for (i : 1 .. NCMD) { crow[i] = s_crow[i]; cslot[i] = s_cslot[i] }
  if :: rolls == MAXROLL ->
          s_inc = 0; s_next = 0; s_res = 0;
          for (i : 0 .. 1) { s_acc[i] = 0; s_pb[i] = 0; s_pn[i] = 0 }
          for (i : 1 .. NCMD) { s_crow[i] = 0; s_cslot[i] = 0 }
     :: else fi;
  i = 0
}
inline lists() {                         /* START of a process that has the log to itself */
  x = (res != 0);
#ifndef kNoListAtStart
  for (j : 1 .. NSLOT) { if :: j >= next && log[j] != 0 -> x = 1 :: else fi }
#endif
  if :: x -> inc = 0 :: else fi;
  skip
}
inline inflightlost() {
  sent = 0; tsent = 0; handed = 0; for (j : 1 .. NSLOT) { fsent[j] = 0 }
}
proctype Fault() {
end: do
  :: d_step { snaps < MAXSNAP && rolls < MAXROLL && nb > 0 ->
       snaps++; s_inc = inc; s_next = next; s_res = res;
       for (i : 0 .. 1) { s_acc[i] = acc[i]; s_pb[i] = pb[i]; s_pn[i] = pn[i] }
       for (i : 1 .. NCMD) { s_crow[i] = crow[i]; s_cslot[i] = cslot[i] }
       i = 0 }
#ifdef EXCLUSIVE
  :: d_step { rolls < MAXROLL && nb > 0 ->                          /* a power cut: a new boot */
       live++; lock = 0; contradicted = 0; inflightlost(); fallback(); JUDGE(); NORM() }
  :: d_step { rolls < MAXROLL && nb > 0 && lock == 0 && inc == live && s_inc == live ->
       contradicted = 0; inflightlost(); fallback(); lists(); JUDGE(); NORM() }    /* A5, died */
  /* A5, the process lives: only what it was handed itself can be missed */
  :: d_step { rolls < MAXROLL && lock == 0 && inc == live && s_inc == live && handed == next-1 ->
       fallback(); JUDGE(); NORM() }
#else
  :: d_step { rolls < MAXROLL && nb > 0 -> live++; lock = 0; contradicted = 0; fallback();
       JUDGE(); NORM() }
#endif
  od
}
#ifdef STARTS
/* START of another process on a healthy registry: it reads next_slot, then lists the log. */
proctype Start() {
  byte read;
  d_step { inc == live -> read = next };
  d_step {
    x = 0; for (j : 1 .. NSLOT) { if :: j >= read && log[j] != 0 -> x = j :: else fi };
#ifndef kStartListsAfterReading
    read = next;
#endif
#ifdef kStartFences
    assert(inc != live)
#endif
    assert(x == 0 || read > x || inc != live)       /* else it fences what is healthy */
  }
}
#endif
/* No step is left: everything is settled, and a reader meets no absent slot. */
proctype Monitor() {
end: do
  :: timeout -> d_step {
       if :: log[NSLOT] == 0 ->
            assert(SERVED); assert(res == 0); JUDGE();
            for (i : 0 .. 1) { assert(pb[i] == 0) }
            for (i : 1 .. NCMD) { assert(crow[i] == 0) }
            for (i : 1 .. NSLOT) { assert(i >= next || log[i] != 0) }
          :: else fi;
       skip }; break
  od
}
init { atomic {
  for (i : 1 .. MAXB) { run Store(i) }
#if LANES==0
  run Anyone();
#else
  for (i : 1 .. LANES) { run Lane() }
  for (i : 1 .. RES) { run Resolver() }
#endif
#if NF>0
  for (i : 1 .. NF) { run Fence(i) }
#endif
  i = 0;
  run FenceStore(); run Fault(); run Monitor();
#ifdef STARTS
  run Start();
#endif
} }
