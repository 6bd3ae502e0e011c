/* Rota's protocol between workers, registry and Job service, to be checked exhaustively. README.md explains it.
 *
 * Each process is one loop, and each step of a loop is atomic: it says what it does with printf, and the trail of a
 * counterexample is these lines. What is durable in Rota is kept over a crash here; what is not, is not. A fault that
 * is put in with -D makes one of the assertions fail: ./check has the list.
 */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef JOBS
#define JOBS 2
#endif
#define TRIES 2               /* attempts of a job, at most */
#define STARTS 2              /* starts (incarnations) of a worker, at most */
#define LEASE 2               /* ticks, as the Job service counts them from when it grants or renews */
#ifdef NO_MARGIN
#define OWN LEASE
#else
#define OWN (LEASE - 1)       /* ticks, as a worker counts them from before it asks: a margin to die in is taken off */
#endif

/* An attempt's number is 1 .. JOBS * TRIES, and 0 is none. */
#define JOB(attempt) (((attempt) - 1) / TRIES)
#define PRESENT(j) ((j) * TRIES + job[j].made)
#define IS_HELD(attempt) (job[JOB(attempt)].held && PRESENT(JOB(attempt)) == (attempt))

/* ---- the Job service: all but `left` is durable ---- */
typedef Job {
  unsigned made : 2;          /* attempts so far; the last is the present one */
  bit held;                   /* a worker has the present attempt: it is assigned or running */
  bit holder;                 /* which worker */
  bit holder_start;           /* and which start of it */
  unsigned left : 2;          /* ticks until the lease ends; each start of the service grants anew */
  unsigned outcome : 3;       /* the attempt whose result is recorded; 0: none */
  bit acknowledged;           /* the registry has acknowledged Working for the present attempt (durable there) */
  bit executed;               /* the present attempt was started: nobody in Rota knows; it is for the claims */
};
Job job[JOBS];

/* ---- the workers; of each, what the registry knows, which is durable ---- */
mtype = { ASKING, HEARD, REFUSING, WATCHING, DOWN, INTRODUCING };
typedef Worker {
  mtype phase;                /* of the agent */
  bit start;                  /* its incarnation */
  bit known;                  /* the start that the registry has met last */
  unsigned attempt : 3;       /* what it is given, and has not started */
  unsigned own : 2;           /* ticks of its lease, counted from before the worker asked */
  bit is_answered;            /* a heartbeat was taken, and its answer is on its way */
  unsigned renewed : 2;       /* ticks of that lease, counted from before the heartbeat was sent */
  bit is_guarded;             /* the shepherd is alive */
  unsigned running : 3;       /* the attempt that is executed */
  unsigned deadline : 2;      /* ticks until the shepherd kills it */
  unsigned report : 3;        /* an attempt that has ended and waits on the disk to be reported */
};
Worker w[WORKERS];
bit restarted;                /* the registry was: what is not durable of it is forgotten */

/* ---- the network: one late copy of an earlier message, which comes as often as it likes ---- */
mtype = { STATUS, REFUSAL, FINISH };
mtype copy;                   /* 0: none */
bit copy_worker, copy_start;
byte copy_attempt;

/* ---- the claims ----
 * 1  No job is executed unless the registry has acknowledged Working for that attempt.
 * 2  At no instant is a job executed twice.
 * 3  A job has one recorded outcome, which never changes.
 * 4  A stale attempt, one that is not its job's present one, changes nothing.
 * 5  A refused attempt was never executed, and never is; neither is one that was lost before it began.
 * 6  An attempt is executed once at most, and only what was executed has a result.
 */
#define CLAIM(number, holds) \
  if \
  :: !(holds) -> printf("!! claim %d is broken\n", number); assert(false) \
  :: else \
  fi;

byte k;                       /* counts within a step; 0 between steps */

/* ==== what the faults change ==== */

#ifdef STALE_FINISH
#define IS_TAKEN(attempt) (!job[JOB(attempt)].outcome)
#endif
#ifdef FINISH_AGAIN
#define IS_TAKEN(attempt) (IS_HELD(attempt) || job[JOB(attempt)].outcome)
#endif
#ifndef IS_TAKEN
#define IS_TAKEN(attempt) IS_HELD(attempt)
#endif

#ifdef TAKEN_WITHOUT_RELEASE
#define IS_QUEUED(j) (!job[j].outcome && job[j].made < TRIES)
#else
#define IS_QUEUED(j) (!job[j].held && !job[j].outcome && job[j].made < TRIES)
#endif
#define IS_FIRST(j) (IS_QUEUED(j) && ((j) == 0 || !IS_QUEUED(0)))    /* each has its place in the queue */

#ifdef REGISTRY_FORGETS
#define IS_SUPERSEDED(i, its_start) (its_start < w[i].known && !restarted)
#else
#define IS_SUPERSEDED(i, its_start) (its_start < w[i].known)
#endif

/* Starts are numbered, so that a late word of an earlier one is known to be late, whoever heard what before. */
#if defined(REGISTRY_FORGETS) || defined(LATE_RELEASE)
#define IS_EARLIER(a, b) (a != b)
#else
#define IS_EARLIER(a, b) (a < b)
#endif

#ifdef LATE_ACK
#define IS_IN_TIME(i) true
#else
#define IS_IN_TIME(i) (w[i].own > 0)
#endif

#define ANSWERS_FOR(i) (w[i].running | w[i].report | w[i].attempt)    /* at most one of the three is not 0 */
#ifdef NOT_ANSWERED_FOR
#define LISTED(i) 0
#else
#define LISTED(i) ANSWERS_FOR(i)
#endif

/* ==== the Job service's deeds ==== */

inline grant(j, its_holder, its_start) {
  job[j].made++;
  job[j].held = 1; job[j].holder = its_holder; job[j].holder_start = its_start; job[j].left = LEASE
}

inline unheld(j) {
  job[j].held = 0; job[j].holder = 0; job[j].holder_start = 0; job[j].left = 0;
#ifndef NO_NEW_ATTEMPT
  job[j].acknowledged = 0; job[j].executed = 0;
#endif
  if                          /* a copy that can change nothing any more is as good as none */
  :: copy_attempt && JOB(copy_attempt) == j && !(copy == FINISH && IS_TAKEN(copy_attempt)) ->
    copy_attempt = 0;
    copy = (copy == STATUS -> STATUS : 0)
  :: else
  fi
}

inline lose(j) {
  unheld(j);
#ifdef NO_NEW_ATTEMPT
  job[j].made--
#endif
}

/* A worker's new start answers for `listed` alone: the rest of what it held is lost. */
inline release(its_holder, its_start, listed) {
  for (k : 0 .. JOBS - 1) {
    if
    :: job[k].held && job[k].holder == its_holder && IS_EARLIER(job[k].holder_start, its_start) ->
      if
      :: PRESENT(k) == listed -> job[k].holder_start = its_start
      :: else -> lose(k)
      fi
    :: else
    fi
  }
  k = 0
}

inline finish(it) {
  if
  :: IS_TAKEN(it) ->
    CLAIM(3, job[JOB(it)].outcome == 0)
    CLAIM(4, IS_HELD(it))
    CLAIM(6, job[JOB(it)].executed)
    job[JOB(it)].outcome = it;
    unheld(JOB(it))
  :: else
  fi
}

inline refuse(it) {
  if
  :: IS_HELD(it) ->
    CLAIM(5, !job[JOB(it)].executed)
    unheld(JOB(it))
  :: else
  fi
}

/* ==== the registry's deed: the permission to execute is recorded before it is answered ==== */

inline acknowledge(listed) {
  if
  :: listed && IS_HELD(listed) -> job[JOB(listed)].acknowledged = 1
  :: else                                   /* of an attempt that is over it makes no difference */
  fi
}

inline hear_status(i, its_start, listed) {
  if
  :: IS_SUPERSEDED(i, its_start) -> skip    /* a late word of an earlier start changes nothing */
  :: else ->
    if
    :: its_start != w[i].known -> w[i].known = its_start; release(i, its_start, listed)
    :: else
    fi;
    acknowledge(listed)
  fi
}

/* ==== a worker's deeds ==== */

#define IS_OVER(i) (w[i].phase == DOWN && w[i].start == STARTS - 1)    /* nobody will report for it any more */

inline ask_anew(i) { w[i].attempt = 0; w[i].own = 0; w[i].phase = ASKING }
inline turn_down(i) { w[i].own = 0; w[i].phase = REFUSING }
inline settle(i) { w[i].phase = (w[i].running || w[i].report -> WATCHING : ASKING) }
inline no_beat(i) { w[i].is_answered = 0; w[i].renewed = 0 }
inline gone(i) {
  w[i].running = 0; w[i].deadline = 0;
  no_beat(i);
  w[i].phase = (w[i].phase == WATCHING && !w[i].report -> ASKING : w[i].phase)
}
inline die(i) {
  w[i].attempt = 0; w[i].own = 0;
  no_beat(i);
  w[i].phase = DOWN;
  w[i].report = (IS_OVER(i) -> 0 : w[i].report)
}

inline execute(i) {
  CLAIM(1, job[JOB(w[i].attempt)].acknowledged)
  for (k : 0 .. WORKERS - 1) {
    CLAIM(2, w[k].running == 0 || JOB(w[k].running) != JOB(w[i].attempt))
  }
  k = 0;
  CLAIM(5, IS_HELD(w[i].attempt))
  CLAIM(6, !job[JOB(w[i].attempt)].executed)
  job[JOB(w[i].attempt)].executed = 1;
  w[i].running = w[i].attempt; w[i].deadline = w[i].own;
  w[i].attempt = 0; w[i].own = 0;
  w[i].phase = WATCHING
}

/* The agent. One that is slow or stopped needs no step: nothing makes it take one while time goes on. A message and its
 * effect are one step and its answer's arrival another, as the worker counts a lease from before its message: the
 * sooner the effect, the sooner the lease ends at the Job service. A message that is lost is no step at all.
 */
proctype Agent(byte i) {
end: do
  /* getJob; asked again for the same question, the same is given again */
  :: d_step { w[i].phase == ASKING && !w[i].attempt && IS_FIRST(0) ->
      grant(0, i, w[i].start); w[i].attempt = PRESENT(0); w[i].own = OWN;
      printf("worker %d -> job: getJob; job --> attempt %d, on its way\n", i, w[i].attempt) }
  :: d_step { w[i].phase == ASKING && !w[i].attempt && IS_FIRST(JOBS - 1) ->
      grant(JOBS - 1, i, w[i].start); w[i].attempt = PRESENT(JOBS - 1); w[i].own = OWN;
      printf("worker %d -> job: getJob; job --> attempt %d, on its way\n", i, w[i].attempt) }
  :: d_step { w[i].phase == ASKING && w[i].attempt && IS_HELD(w[i].attempt) &&
              job[JOB(w[i].attempt)].holder_start == w[i].start && w[i].own < OWN ->
      w[i].own = OWN; job[JOB(w[i].attempt)].left = LEASE;
      printf("worker %d -> job: getJob again, as no answer came; job --> attempt %d, as before\n", i, w[i].attempt) }
  :: d_step { w[i].phase == ASKING && w[i].attempt ->
      printf("worker %d never gets that answer; its next question is a new one\n", i);
      ask_anew(i) }

  /* returnJob, and status: Working */
  :: d_step { w[i].phase == ASKING && w[i].attempt && IS_IN_TIME(i) ->
      printf("job --> worker %d: attempt %d; worker -> registry: Working\n", i, w[i].attempt);
      if
      :: IS_SUPERSEDED(i, w[i].start) -> turn_down(i)
      :: else -> w[i].phase = HEARD
      fi;
      hear_status(i, w[i].start, w[i].attempt) }
  :: d_step { w[i].phase == ASKING && w[i].attempt && IS_IN_TIME(i) && w[i].start > w[i].known ->
      w[i].phase = HEARD; acknowledge(w[i].attempt);
      printf("job --> worker %d: attempt %d; worker -> registry: Working; what it held earlier is not released yet\n",
        i, w[i].attempt) }
  :: d_step { w[i].phase == ASKING && w[i].attempt ->
      printf("job --> worker %d: attempt %d; too late, or the registry is not there\n", i, w[i].attempt);
      turn_down(i) }
  :: d_step { w[i].phase == HEARD && IS_IN_TIME(i) ->
      printf("registry --> worker %d: status received; it EXECUTES attempt %d\n", i, w[i].attempt);
      execute(i) }
#ifdef START_BEFORE_ACK
  :: d_step { w[i].phase == ASKING && w[i].attempt && IS_IN_TIME(i) ->
      printf("job --> worker %d: attempt %d; it EXECUTES it, whatever the registry says\n", i, w[i].attempt);
      execute(i) }
#endif
  :: d_step { w[i].phase == HEARD ->
      printf("worker %d has no answer of the registry in time\n", i);
      turn_down(i) }

  /* refuse job */
#ifdef START_AFTER_REFUSAL
  :: d_step { w[i].phase == REFUSING && IS_HELD(w[i].attempt) && job[JOB(w[i].attempt)].acknowledged ->
      printf("registry --> worker %d: status received; it EXECUTES attempt %d all the same\n", i, w[i].attempt);
      execute(i) }
#endif
  :: d_step { w[i].phase == REFUSING ->
      printf("worker %d -> job: refuse job, attempt %d\n", i, w[i].attempt);
      refuse(w[i].attempt); ask_anew(i) }
  :: d_step { w[i].phase == REFUSING ->
      printf("worker %d gives up refusing\n", i);
      ask_anew(i) }

  /* heartbeat */
  :: d_step { (w[i].phase == WATCHING || w[i].phase == INTRODUCING) && w[i].running && IS_HELD(w[i].running) &&
              w[i].renewed < OWN ->
      w[i].is_answered = 1; w[i].renewed = OWN; job[JOB(w[i].running)].left = LEASE;
      printf("worker %d -> job: heartbeat, attempt %d; job --> renewed, on its way\n", i, w[i].running) }
  :: d_step { (w[i].phase == WATCHING || w[i].phase == INTRODUCING) && w[i].running && !IS_HELD(w[i].running) ->
      printf("worker %d -> job: heartbeat, attempt %d; job --> lost: it is killed\n", i, w[i].running);
      gone(i) }
  :: d_step { w[i].is_answered ->
#ifdef LEASE_FROM_ANSWER
      w[i].deadline = OWN;
#else
      w[i].deadline = (w[i].renewed > w[i].deadline -> w[i].renewed : w[i].deadline);
#endif
      no_beat(i);
      printf("job --> worker %d: renewed; attempt %d has %d ticks\n", i, w[i].running, w[i].deadline) }
  :: d_step { w[i].is_answered -> no_beat(i); printf("the answer to the heartbeat of worker %d is lost\n", i) }

  /* jobFinished */
  :: d_step { w[i].phase == WATCHING && w[i].report ->
      printf("worker %d -> job: jobFinished, attempt %d; job --> received, or not wanted\n", i, w[i].report);
      finish(w[i].report);
      w[i].report = 0; ask_anew(i) }
  :: d_step { w[i].phase == WATCHING && w[i].report && IS_TAKEN(w[i].report) ->
      printf("worker %d -> job: jobFinished, attempt %d; the answer is lost\n", i, w[i].report);
      finish(w[i].report) }

  /* A new agent takes up what an earlier one left; a new shepherd first ends what its predecessor left. */
  :: d_step { w[i].phase == DOWN && w[i].start < STARTS - 1 ->
      w[i].start++;
      w[i].phase = INTRODUCING;
      if
      :: !w[i].is_guarded -> gone(i); w[i].is_guarded = 1
      :: else
      fi;
      printf("worker %d starts again, and answers for attempt %d\n", i, ANSWERS_FOR(i)) }
  :: d_step { w[i].phase == INTRODUCING ->
      printf("worker %d -> registry: its new start answers for attempt %d; registry --> received\n", i, LISTED(i));
      hear_status(i, w[i].start, LISTED(i)); settle(i) }
  :: d_step { w[i].phase == INTRODUCING && w[i].known != w[i].start ->
      printf("worker %d -> registry: its new start answers for attempt %d; the answer is lost\n", i, LISTED(i));
      hear_status(i, w[i].start, LISTED(i)) }
  :: d_step { w[i].phase == INTRODUCING && w[i].known != w[i].start ->
      printf("worker %d -> registry: its new start; what it held earlier is not released yet\n", i);
      settle(i) }

  /* kill -9 */
  :: d_step { w[i].phase != DOWN -> die(i); printf("the agent of worker %d is killed\n", i) }
  :: d_step { w[i].phase != DOWN ->
      die(i); w[i].is_guarded = 0;
      printf("agent and shepherd of worker %d are killed; attempt %d runs on, if any\n", i, w[i].running) }
  :: d_step { w[i].phase != DOWN && w[i].report ->
      die(i); w[i].is_guarded = 0; w[i].report = 0;
      printf("agent and shepherd of worker %d are killed; how its job ended was not on the disk yet\n", i) }
  od
}

/* The shepherd, which outlives the agent; and a job's own end. */
proctype Shepherd(byte i) {
end: do
#ifndef NO_GUARD
  :: d_step { w[i].running && w[i].is_guarded && w[i].deadline == 0 ->
      printf("the shepherd of worker %d kills attempt %d: its lease was not renewed\n", i, w[i].running);
      gone(i) }
#endif
  :: d_step { w[i].running && w[i].is_guarded ->
      printf("attempt %d ends by itself\n", w[i].running);
      w[i].report = (IS_OVER(i) -> 0 : w[i].running); gone(i) }
  :: d_step { w[i].running && !w[i].is_guarded ->
      printf("attempt %d ends by itself, or the machine goes down\n", w[i].running);
      gone(i) }
  od
}

/* Messages that come late, and again. */
proctype Network(byte i) {
end: do
  :: d_step { IS_FIRST(0) && !job[0].made ->
      grant(0, i, 0);
      printf("a late getJob of worker %d -> job; job --> attempt %d, to nobody\n", i, PRESENT(0)) }
  :: d_step { !copy && (w[i].phase == HEARD || w[i].phase == INTRODUCING) ->
      copy = STATUS; copy_worker = i; copy_start = w[i].start; copy_attempt = ANSWERS_FOR(i);
      printf("a copy is kept of: worker %d, start %d -> registry: status, attempt %d\n", i, w[i].start, copy_attempt) }
  :: d_step { !copy && w[i].phase == REFUSING && IS_HELD(w[i].attempt) ->
      copy = REFUSAL; copy_attempt = w[i].attempt;
      printf("a copy is kept of: worker %d -> job: refuse job, attempt %d\n", i, copy_attempt) }
  :: d_step { !copy && w[i].phase == WATCHING && w[i].report && IS_TAKEN(w[i].report) ->
      copy = FINISH; copy_attempt = w[i].report;
      printf("a copy is kept of: worker %d -> job: jobFinished, attempt %d\n", i, copy_attempt) }
  :: d_step { copy == STATUS && copy_worker == i && !IS_SUPERSEDED(i, copy_start) ->
      printf("the copy comes: worker %d, start %d -> registry: status, attempt %d\n", i, copy_start, copy_attempt);
      hear_status(i, copy_start, copy_attempt) }
#ifndef REGISTRY_FORGETS       /* which is to be found by its own way */
  :: d_step { copy == STATUS && copy_worker == i ->
      printf("late: registry -> job: worker %d has start %d, which answers for attempt %d\n", i, copy_start, copy_attempt);
      release(i, copy_start, copy_attempt) }
#endif
  :: d_step { copy == REFUSAL && i == 0 && IS_HELD(copy_attempt) ->
      printf("the copy comes: refuse job, attempt %d\n", copy_attempt);
      refuse(copy_attempt) }
  :: d_step { copy == FINISH && i == 0 && IS_TAKEN(copy_attempt) ->
      printf("the copy comes: jobFinished, attempt %d\n", copy_attempt);
      finish(copy_attempt) }
  od
}

/* A lease that ran out is swept at once or long after; kill -9 of the services, and their next start. */
proctype Services(byte j) {
end: do
  :: d_step { job[j].held && job[j].left == 0 ->
      printf("job: the lease of attempt %d ran out\n", PRESENT(j));
      lose(j) }
#ifdef LEASES_FORGOTTEN
  :: d_step { job[j].left -> job[j].left = 0; printf("job: started again, and has forgotten job %d's lease\n", j) }
#else
  :: d_step { job[j].held && job[j].left < LEASE ->
      job[j].left = LEASE;
      printf("job: started again; whoever holds job %d has a full lease\n", j) }
#endif
#ifdef REGISTRY_FORGETS
  :: d_step { !restarted -> restarted = 1; printf("registry: started again\n") }
#endif
  od
}

/* A tick passes for all at once; but none passes while somebody has to act first. */
#ifdef NO_GUARD
#define IS_DUE(i) false
#else
#ifdef ABANDONED
#define IS_DUE(i) (w[i].running && w[i].deadline == 0 && w[i].is_guarded)
#else
#define IS_DUE(i) (w[i].running && w[i].deadline == 0)
#endif
#endif
#define ONE_LESS(what) what = (what -> what - 1 : 0)

proctype Time() {
end: do
  :: d_step { !IS_DUE(0) && !IS_DUE(WORKERS - 1) ->
      for (k : 0 .. JOBS - 1) { ONE_LESS(job[k].left) }
      for (k : 0 .. WORKERS - 1) {
        ONE_LESS(w[k].own);
        ONE_LESS(w[k].renewed);
        ONE_LESS(w[k].deadline);
#ifndef LEASE_FROM_ANSWER
        w[k].is_answered = (w[k].renewed > 0)    /* later, the answer would extend nothing */
#endif
      }
      k = 0;
      printf("-- tick\n") }
  od
}

init {
  byte i;
  atomic {
    for (i : 0 .. WORKERS - 1) {
      w[i].phase = ASKING; w[i].is_guarded = 1;
      run Agent(i); run Shepherd(i); run Network(i)
    }
    for (i : 0 .. JOBS - 1) { run Services(i) }
    run Time();
    i = 0
  }
}
