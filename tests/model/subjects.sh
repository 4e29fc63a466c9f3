# shellcheck shell=bash disable=SC2034
# subjects.sh - the subjects of the model checker, and the sources of the library that each is made of
# (beside the checker and tests/model/<subject>.c).

subjects=(litmus deque park slot carrier lock wait mutex sem rwlock event cond queue channel future timer gate scope drain io)

tasks="core/wait.c core/lock.c core/task.c core/future.c core/slab.c core/timer.c tests/model/tasks.c"

declare -A sources=(
    [litmus]=""
    [deque]="core/deque.c"
    [park]="core/park.c core/worker.c core/deque.c core/lock.c core/timer.c tests/model/workers.c"
    [slot]="core/park.c core/deque.c core/lock.c core/timer.c tests/model/workers.c"
    [carrier]="core/lock.c"
    [lock]="core/lock.c"
    [wait]="$tasks"
    [mutex]="sync/mutex.c $tasks"
    [sem]="sync/sem.c $tasks"
    [rwlock]="sync/rwlock.c $tasks"
    [event]="sync/event.c $tasks"
    [cond]="sync/cond.c sync/mutex.c $tasks"
    [queue]="sync/queue.c $tasks"
    [channel]="sync/channel.c sync/store.c $tasks"
    [future]="core/await.c core/await_one.c core/group.c $tasks"
    [timer]="$tasks"
    [gate]=""
    [scope]="core/scope.c core/scope_cancel.c core/scope_start.c $tasks"
    [drain]="core/drain.c $tasks"
    [io]="core/opslot.c core/fd.c io/call.c $tasks"
)

# Where the ordered accesses are that a subject must defend: those beside them have subjects of their own.
declare -A judged=(
    [litmus]="none"
    [deque]="core/deque\.c"
    [park]="core/(park|bell)\.|core/worker\.h|core/worker\.c (inbox|weft__worker|carry)|core/deque\.c weft__deque_is_empty"
    [slot]="core/worker\.c (weft__ready|ready_next|take_run_next|steal_run_next)"
    [carrier]="core/(carrier|handover)\."
    [lock]="core/lock\."
    [wait]="core/wait\.|core/future\.c cancel|core/future\.h future_is_cancelled|core/task\.c task_cancel"
    [mutex]="sync/mutex\."
    [sem]="sync/sem\."
    [rwlock]="sync/rwlock\."
    [event]="sync/event\."
    [cond]="sync/cond\."
    [queue]="sync/queue\."
    [channel]="sync/(channel|store)\."
    [future]="core/future\.c (weft|tell|look|detach|settle)|core/(await|await_one|group)\.|core/slab\.c weft__slab_give"
    [timer]="core/timer\.c"
    [gate]="core/gate\.c (weft__(runtime_(enter|leave)|gate)|come_in|until_zero)"
    [scope]="core/scope"
    [drain]="core/drain\.c|core/task\.c (start|start_at_hand|tell_drain) |core/future\.c weft_promise_new_at|core/runtime\.c weft__runtime_is_stopping"
    [io]="core/(fd|opslot|loop_epoll)\.|io/call\."
)
