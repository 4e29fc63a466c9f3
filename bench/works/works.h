/*
 * works.h - the works of bench/run on weft. Each is the main task of a run: `arg` is a struct run.
 */
#ifndef WEFT_BENCH_WORKS_H
#define WEFT_BENCH_WORKS_H

#include "bench/bench.h"

int spawn_join(void *arg);
int spawn_await(void *arg);
int yield(void *arg);
int skynet(void *arg);

int channel_roundtrip(void *arg);
int channel_many(void *arg);
int mutex_contended(void *arg);
int prime_sieve(void *arg);

int timer_churn(void *arg);
int sleepers_1m(void *arg);
int steal_latency(void *arg);
int wake_latency(void *arg);

int offload_roundtrip(void *arg);
int offload_1000(void *arg);

int echo_server(void *arg);
int idle(void *arg);

#endif
