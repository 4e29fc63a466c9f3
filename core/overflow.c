/*
 * overflow - a task that runs off its stack is named before the process dies.
 *
 * The guard below each stack turns the overflow into SIGSEGV. The handler, on a signal stack of the
 * thread's, compares the address with the guard of the running task, and says which task it was,
 * where it was spawned and what to do; then the default action takes its course. It is set only
 * where the program has left SIGSEGV alone, and put back at the stop.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/sys.h"
#include "core/worker.h"

#define SIGNAL_STACK_BYTES ((size_t)64 * 1024)

/* write(2) and own formatting only: this runs in a signal handler. */
static void say(const char *text) { (void)!write(STDERR_FILENO, text, strlen(text)); }

static void say_number(size_t number)
{
    char digits[24];
    char *at = digits + sizeof digits - 1;

    *at = 0;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    say(at);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    bool is_fault = info->si_code > 0; /* else somebody has sent the signal */
    struct task *task = weft__current_task();
    uintptr_t at = (uintptr_t)info->si_addr;
    uintptr_t low = task ? (uintptr_t)task->stack : 0;

    (void)context;
    if (is_fault && task && at < low && at >= low - STACK_GUARD_BYTES) {
        say("weft: task ");
        say(future_site(&task->future));
        say(" overflowed its ");
        say_number(task->stack_bytes / 1024);
        say(" KiB stack: raise .stack_bytes of weft_spawn_with\n");
    }
    (void)signal(number, SIG_DFL); /* the instruction is tried again, and ends the process */
    if (!is_fault)
        (void)raise(number); /* comes when the handler has returned; cannot fail */
}

void weft__overflow_watch(void)
{
    struct sigaction old, new = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_handler == SIG_DFL &&
        !(old.sa_flags & SA_SIGINFO))
        (void)sigaction(SIGSEGV, &new, NULL); /* refused: the fault is only nameless */
}

void weft__overflow_unwatch(void)
{
    struct sigaction now;

    if (sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
        now.sa_sigaction == on_fault)
        (void)signal(SIGSEGV, SIG_DFL); /* it was the default before */
}

void weft__overflow_watch_thread(struct carrier *carrier)
{
    stack_t own;

    if (sigaltstack(NULL, &own) == 0 && !(own.ss_flags & SS_DISABLE))
        return; /* a sanitizer has set one */
    carrier->signal_stack = weft__sys_alloc(SIGNAL_STACK_BYTES);
    if (!carrier->signal_stack)
        return; /* the fault is only nameless */
    own = (stack_t){.ss_sp = carrier->signal_stack, .ss_size = SIGNAL_STACK_BYTES};
    (void)sigaltstack(&own, NULL); /* as above */
}

void weft__overflow_unwatch_thread(struct carrier *carrier)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    if (!carrier->signal_stack)
        return;
    (void)sigaltstack(&none, NULL); /* the thread ends here in any case */
    weft__sys_free(carrier->signal_stack);
    carrier->signal_stack = NULL;
}
