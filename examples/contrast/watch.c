#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const int ENDING[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP = SIGUSR1, RENEW_NS = 100000000 };

static void renew(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    if (watch->text[0]) {
        printf("\r%s  %.1f s\033[K", watch->text, weft_seconds(weft_now() - watch->since));
        fflush(stdout);
    }
    pthread_mutex_unlock(&watch->lock);
}

static void *run(void *arg)
{
    struct watch *watch = arg;
    const struct timespec pause = {.tv_nsec = RENEW_NS};

    for (;;) {
        int signal = watch->terminal ? sigtimedwait(&watch->signals, NULL, &pause)
                                     : sigwaitinfo(&watch->signals, NULL);
        if (signal == STOP)
            return NULL;
        if (signal > 0) {
            watch_hide(watch);
            watch->clean_up(watch->context);
            _exit(128 + signal);
        }
        renew(watch);
    }
}

int watch_start(struct watch *watch, void (*clean_up)(void *context), void *context)
{
    *watch = (struct watch){.terminal = isatty(STDOUT_FILENO) == 1,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .clean_up = clean_up,
                            .context = context};
    sigemptyset(&watch->signals);
    sigaddset(&watch->signals, STOP);
    for (size_t i = 0; i < sizeof ENDING / sizeof ENDING[0]; i++) {
        struct sigaction now;
        sigaction(ENDING[i], NULL, &now);
        if (now.sa_handler != SIG_IGN)
            sigaddset(&watch->signals, ENDING[i]);
    }
    pthread_sigmask(SIG_BLOCK, &watch->signals, NULL);
    return -pthread_create(&watch->thread, NULL, run, watch);
}

void watch_show(struct watch *watch, const char *text)
{
    if (!watch->terminal)
        return;
    pthread_mutex_lock(&watch->lock);
    snprintf(watch->text, sizeof watch->text, "%s", text);
    watch->since = weft_now();
    pthread_mutex_unlock(&watch->lock);
}

void watch_hide(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    if (watch->text[0]) {
        fputs("\r\033[K", stdout);
        fflush(stdout);
    }
    watch->text[0] = '\0';
    pthread_mutex_unlock(&watch->lock);
}

void watch_stop(struct watch *watch)
{
    watch_hide(watch);
    pthread_kill(watch->thread, STOP);
    pthread_join(watch->thread, NULL);
}
