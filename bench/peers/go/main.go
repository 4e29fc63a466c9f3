// The works of bench/run in Go: bench_go WORK WORKERS SIZE. See bench/bench.h.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"time"
)

// A timed work is done twice, and the second time counts; the others print figures of their own.
var timed = map[string]func(workers, size int) int{
	"spawn_join":        spawnJoin,
	"spawn_await":       spawnAwait,
	"yield":             yield,
	"skynet":            skynet,
	"channel_roundtrip": channelRoundtrip,
	"channel_many":      channelMany,
	"mutex_contended":   mutexContended,
	"prime_sieve":       primeSieve,
	"timer_churn":       timerChurn,
	"offload_roundtrip": offloadRoundtrip,
	"offload_1000":      offload1000,
}

var untimed = map[string]func(workers, size int) int{
	"sleepers_1m":   sleepers,
	"steal_latency": stealLatency,
	"wake_latency":  wakeLatency,
	"echo_server":   echoServer,
	"idle":          idle,
}

func say(key string, value float64) { fmt.Printf("%s %.1f\n", key, value) }

// Prints the median and the 99th percentile; sorts the spans.
func saySpans(spans []time.Duration) {
	sort.Slice(spans, func(i, j int) bool { return spans[i] < spans[j] })
	say("p50_ns", float64(spans[len(spans)/2]))
	say("p99_ns", float64(spans[len(spans)-1-len(spans)/100]))
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: bench_go WORK WORKERS SIZE")
		os.Exit(2)
	}
	workers, _ := strconv.Atoi(os.Args[2])
	size, _ := strconv.Atoi(os.Args[3])
	runtime.GOMAXPROCS(workers)
	if work, ok := timed[os.Args[1]]; ok {
		work(workers, size)
		begin := time.Now()
		result := work(workers, size)
		say("ns", float64(time.Since(begin)))
		fmt.Println("result", result)
	} else if work, ok := untimed[os.Args[1]]; ok {
		fmt.Println("result", work(workers, size))
	} else {
		fmt.Fprintln(os.Stderr, "bench_go: there is no work", os.Args[1])
		os.Exit(2)
	}
}
