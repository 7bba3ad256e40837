/* outcomes.pml: what becomes of commands, over an abstract log. models/README.md says why that is
 * sound: append.pml has shown that a reservation gets one verdict, the same for everybody.
 *
 * A batch is its slot. RESERVE opens it; VERDICT makes it a batch or a tombstone, in any order;
 * FINALIZE or UNDO (settlement.cc) tells the registry, in any order. FALLBACK is a registry that
 * fell back and was fenced: whatever is open gets a tombstone, and everything is settled.
 * DECIDE is domain/decide.cc. A worker may decide any settled command at any time, on the outcome
 * that the registry names or on one that it once reserved itself, and may reject whatever it likes:
 * that is any number of workers, paused, late or taken over from, and of different opinions.
 * Steps use something up: no cycle, so every run ends (see append.pml).
 */
#ifndef NCMD
#define NCMD 4
#endif
#ifndef MAXTOMB
#define MAXTOMB 1        /* tombstones: crashes, lost or late PUTs */
#endif
#ifndef MAXROLL
#define MAXROLL 0
#endif
#ifndef F
#define F 2
#endif
#ifndef MAXB
#define MAXB (2*NCMD+MAXTOMB+F*MAXROLL+1)   /* one to spare: Monitor judges full runs too */
#endif
#define CREATE 1
#define UPDATE 2
#define DELETE 3
#define NO 99
#ifdef SCOPE             /* aggregate 0: a database; 1: an instance in it, stamped with it */
#define AGG(c) ((c)>3)
#define OP(c)  ((c)==2 -> DELETE : ((c)==5 -> UPDATE : CREATE))
#define EXP(c) NO
#else                    /* create, update, delete, create again */
#define AGG(c) 0
#define OP(c)  ((c)==2 -> UPDATE : ((c)==3 -> DELETE : CREATE))
#define EXP(c) ((c)==2 -> 1 : NO)
#endif

/* The log. Position p of item o of batch b is 2*b+o; 0 is none. Outcomes are whole. */
#define AT (2*(MAXB+1))
byte nb, verdict[MAXB+1];            /* 0 open, 1 batch, 2 tombstone */
byte bcmd[MAXB+1];                   /* the command, or 0 */
byte bnum[MAXB+1], bscope[MAXB+1], bstamp[MAXB+1];   /* its number; the database: creation, number */
byte ocmd[AT], obasis[AT], olife[AT], oinc[AT], oscope[AT];
bit  orejected[AT];
byte tombs, rolls;

/* The registry */
short res;                           /* reservations, bit b */
byte accn[2], accl[2], accs[2], pb[2];                    /* accepted; pending batch */
byte decn[2], decl[2], deci[2], decs[2], decp[2];         /* decided; decp: basis of the next */
byte cbatch[NCMD+1], cslot[NCMD+1];                       /* command: batch until settled, slot */
byte obatch[NCMD+1], opos[NCMD+1];                        /* its outcome: claimed by, recorded at */
byte own[NCMD+1];                    /* ghost: the last outcome that was reserved for it */
#define IN(b)    ((res>>(b))&1)
#define ROOM     (nb < MAXB && OPEN < F)
byte OPEN;                           /* reservations, counted */

hidden byte i, j, p, c0, L, I, S, n0;
hidden byte fn[2], fdn[2], fdl[2], fdi[2], fds[2], fdp[2], inlog[NCMD+1], decided[NCMD+1];

#ifdef kIgnoreScope
#define SAME(a,b) (1)
#else
#define SAME(a,b) ((a)==(b))
#endif
#ifdef kAcceptedLifecycleCounts
#define PRESENT(a,sc) (accl[a] && SAME(accs[a],sc))
#else
#define PRESENT(a,sc) (accn[a]==decn[a] -> decl[a] && SAME(decs[a],sc) : accl[a] && SAME(accs[a],sc))
#endif

/* DECIDE on the state L, I, S before: may the command succeed, and what is then */
#define PERMITTED(c,sc) (OP(c)==CREATE -> !(L && S==(sc)) && S<=(sc) : L && S==(sc))
inline after(c, b) {
  S = bscope[b];
  if :: OP(c) == CREATE -> L = 1; I = bnum[b] :: OP(c) == DELETE -> L = 0 :: else fi
}

/* ---- the judge ---- */
inline judgeoutcome(q) {
  if :: ocmd[q] != 0 ->
    c0 = ocmd[q]; n0 = bnum[inlog[c0]];
    assert(inlog[c0] != 0);                                /* its command is before it */
    assert(decided[c0] == 0);                              /* I5: at most one */
    assert(n0 == fdn[AGG(c0)]+1);                          /* I5: in order */
    assert(obasis[q] == fdp[AGG(c0)]);                     /* I5: on its basis */
    L = fdl[AGG(c0)]; I = fdi[AGG(c0)]; S = fds[AGG(c0)];
    if :: orejected[q] -> skip :: else -> assert(PERMITTED(c0, bscope[inlog[c0]])); after(c0, inlog[c0]) fi;
    assert(olife[q] == L && oinc[q] == I && oscope[q] == S);     /* whole, and what follows */
    decided[c0] = q; fdn[AGG(c0)] = n0; fdp[AGG(c0)] = q;
    fdl[AGG(c0)] = L; fdi[AGG(c0)] = I; fds[AGG(c0)] = S
  :: else fi
}
inline JUDGE() {
  for (j : 0 .. 1) { fn[j] = 0; fdn[j] = 0; fdl[j] = 0; fdi[j] = 0; fds[j] = 0; fdp[j] = 0 }
  for (j : 1 .. NCMD) { inlog[j] = 0; decided[j] = 0 }
  for (j : 1 .. MAXB) {
    if :: j <= nb && verdict[j] == 1 ->
      c0 = bcmd[j];
      if :: c0 != 0 ->
        assert(inlog[c0] == 0);
        assert(EXP(c0) == NO || EXP(c0) == fn[AGG(c0)]);   /* I4 */
        fn[AGG(c0)] = fn[AGG(c0)]+1; inlog[c0] = j;
        assert(bnum[j] == fn[AGG(c0)]);                    /* I2, I3 */
#ifdef SCOPE
        if :: AGG(c0) -> assert(bstamp[j] == fn[0] && fdn[0] == fn[0]);  /* current, decided */
                         assert(fdl[0] && bscope[j] == fdi[0]) :: else fi
#endif
      :: else -> judgeoutcome(2*j); judgeoutcome(2*j+1) fi
    :: else fi
  }
  for (j : 0 .. 1) {                                       /* the registry is a fold of the log */
    assert(pb[j] != 0 || accn[j] == fn[j]);
    if :: res == 0 ->
            assert(decn[j] == fdn[j] && decp[j] == fdp[j]);
            assert(fn[j] != fdn[j] || PRESENT(j, fds[j]) == fdl[j]);
            assert(fn[j] != fdn[j] || j == 0 || PRESENT(j, fds[j]+1) == 0)   /* a later creation */
       :: else fi
  }
  for (j : 1 .. NCMD) { assert(opos[j] == 0 || decided[j] == opos[j]);
                        assert(cslot[j] == 0 || inlog[j] == cslot[j]) }
}

/* ---- settlement ---- */
inline settleoutcome(q, b) {
  c0 = ocmd[q];
  if :: c0 != 0 && opos[c0] == 0 ->
          obatch[c0] = 0; opos[c0] = q;
          if :: decn[AGG(c0)] < bnum[cslot[c0]] ->
                  decn[AGG(c0)] = bnum[cslot[c0]]; decp[AGG(c0)] = q;
                  decl[AGG(c0)] = olife[q]; deci[AGG(c0)] = oinc[q]; decs[AGG(c0)] = oscope[q]
             :: else fi
     :: else fi
}
inline undooutcome(q, b) {
  c0 = ocmd[q]; if :: c0 != 0 && obatch[c0] == b -> obatch[c0] = 0 :: else fi
}
inline SETTLE(b) {
  c0 = bcmd[b];
  if :: verdict[b] == 1 && c0 != 0 ->                      /* FINALIZE */
          accn[AGG(c0)] = bnum[b]; accs[AGG(c0)] = bscope[b]; accl[AGG(c0)] = (OP(c0) != DELETE);
          pb[AGG(c0)] = 0; cbatch[c0] = 0; cslot[c0] = b
     :: verdict[b] == 1 && c0 == 0 -> settleoutcome(2*b, b); settleoutcome(2*b+1, b)
     :: verdict[b] == 2 && c0 != 0 -> pb[AGG(c0)] = 0; cbatch[c0] = 0              /* UNDO */
     :: else -> undooutcome(2*b, b); undooutcome(2*b+1, b)
  fi;
  if :: IN(b) -> res = res - (1<<b); OPEN-- :: else fi;
  skip
}
inline OPENBATCH() { nb++; res = res + (1<<nb); OPEN++ }

/* ---- RESERVE of a command, by a client that repeats it until it is answered ---- */
#ifdef kIgnoreUndecidedStamps
#define DECIDED(a) (pb[a]==0)
#else
#define DECIDED(a) (pb[a]==0 && accn[a]==decn[a])
#endif
#define STAMPED(c)  (AGG(c)==0 || (DECIDED(0) && decl[0]))
#define SCOPEOF(c)  (AGG(c) -> deci[0] : 0)
#ifdef kIgnoreExpectedSeq
#define EXPECTED(c) (1)
#else
#define EXPECTED(c) (EXP(c)==NO || EXP(c)==accn[AGG(c)])
#endif
proctype Client(byte c) {
end: do
  :: d_step { ROOM && cbatch[c] == 0 && cslot[c] == 0 && pb[AGG(c)] == 0 && STAMPED(c) &&
              EXPECTED(c) && (OP(c) == CREATE || accn[AGG(c)] != 0) &&
              PRESENT(AGG(c), SCOPEOF(c)) == (OP(c) != CREATE) ->
       OPENBATCH(); bcmd[nb] = c; bnum[nb] = accn[AGG(c)]+1; bscope[nb] = SCOPEOF(c);
       bstamp[nb] = (AGG(c) -> decn[0] : 0); pb[AGG(c)] = nb; cbatch[c] = nb; JUDGE(); skip }
  od
}

/* ---- DECIDE and RESERVE of an outcome ---- */
#define NUM(c) bnum[cslot[c]]
#ifdef kSecondOutcome
#define UNDECIDED(c) (cslot[c]!=0)
#else
#define UNDECIDED(c) (cslot[c]!=0 && opos[c]==0 && obatch[c]==0)
#endif
#if defined(kIgnoreBasis) || defined(kSecondOutcome)
#define ONBASIS(c,q) (1)
#else
#define ONBASIS(c,q) (decn[AGG(c)]+1==NUM(c) && decp[AGG(c)]==(q))
#endif
inline decide(c, rejects, q, basis) {                      /* the outcome of c, at position q */
  p = basis;
  if :: p == 0 -> L = 0; I = 0; S = 0 :: else -> L = olife[p]; I = oinc[p]; S = oscope[p] fi;
  ocmd[q] = c; obasis[q] = p;
  if :: rejects || !PERMITTED(c, bscope[cslot[c]]) -> orejected[q] = 1 :: else -> after(c, cslot[c]) fi;
  olife[q] = L; oinc[q] = I; oscope[q] = S; obatch[c] = nb; own[c] = q
}
#define FOLLOWS(c,e) (cslot[e]!=0 && AGG(e)==AGG(c) && NUM(e)+1==NUM(c))
/* on the registry's basis; on the worker's own outcome of the command before, whatever became of
 * it; together with the next command in one request */
#define ON(rejects) :: d_step { ROOM && UNDECIDED(c) && decn[AGG(c)]+1 == NUM(c) -> \
  OPENBATCH(); decide(c, rejects, 2*nb, decp[AGG(c)]); JUDGE(); skip }
#define ONOWN(e) :: d_step { e<=NCMD && e!=c && ROOM && UNDECIDED(c) && FOLLOWS(c,e) && own[e]!=0 \
  && own[e]!=decp[AGG(c)] && ONBASIS(c,own[e]) -> \
  OPENBATCH(); decide(c, 0, 2*nb, own[e]); JUDGE(); skip }
#define CHAIN(d) :: d_step { d<=NCMD && d!=c && ROOM && UNDECIDED(c) && UNDECIDED(d) && \
  decn[AGG(c)]+1 == NUM(c) && FOLLOWS(d,c) -> \
  OPENBATCH(); decide(c, 0, 2*nb, decp[AGG(c)]); decide(d, 0, 2*nb+1, 2*nb); JUDGE(); skip }
#if NCMD==3
#define EACH(M) M(1) M(2) M(3)
#elif NCMD==4
#define EACH(M) M(1) M(2) M(3) M(4)
#else
#define EACH(M) M(1) M(2) M(3) M(4) M(5)
#endif
proctype Worker(byte c) {
end: do
  ON(0)
  ON(1)
  EACH(ONOWN)
  EACH(CHAIN)
#ifdef kSecondOutcome
  :: d_step { ROOM && cslot[c] != 0 && own[c] != 0 -> /* woken up, still on the basis that it saw */
       OPENBATCH(); decide(c, 1, 2*nb, obasis[own[c]]); JUDGE(); skip }
#endif
#ifdef kAnswerPendingOutcome
  :: d_step { obatch[c] != 0 -> assert(verdict[obatch[c]] == 1) }    /* told: it is there */
#endif
  od
}

/* ---- the store, the lanes and resolvers, the fence ---- */
proctype Batch(byte b) {
end: do
  :: d_step { b <= nb && verdict[b] == 0 -> verdict[b] = 1; JUDGE(); skip }
  :: d_step { b <= nb && verdict[b] == 0 && tombs < MAXTOMB -> tombs++; verdict[b] = 2 }
  :: d_step { b <= nb && verdict[b] != 0 && IN(b) -> SETTLE(b); JUDGE(); skip }
  od
}
proctype Fault() {
end: do
  :: d_step { rolls < MAXROLL && res != 0 -> rolls++;
       for (i : 1 .. MAXB) {
         if :: i <= nb && IN(i) ->
                 if :: verdict[i] == 0 -> verdict[i] = 2 :: else fi;
                 SETTLE(i)
            :: else fi };
       JUDGE(); skip }
  od
}
proctype Monitor() {
end: do
  :: timeout -> d_step {
       assert(res == 0); JUDGE();
       for (j : 1 .. NCMD) {
         assert(nb == MAXB || inlog[j] == 0 || decided[j] != 0);    /* each has its outcome */
         assert(cbatch[j] == 0 && obatch[j] == 0) };
       skip }; break
  od
}
init { atomic {
  for (j : 1 .. MAXB) { run Batch(j) }
  for (j : 1 .. NCMD) { run Client(j) }
#ifdef kNoSweep          /* the bus has lost command 1 */
  for (j : 2 .. NCMD) { run Worker(j) }
#else
  for (j : 1 .. NCMD) { run Worker(j) }
#endif
  j = 0;
  run Fault(); run Monitor()
} }
