package main

import (
	"os"
	"runtime"
)

const flight = 1000

type job struct {
	run  func() int
	done chan<- int
}

// As many goroutines as workers take jobs from a channel. Each keeps a thread for itself, so that
// jobs run apart from what waits, as in other pools; with BENCH_POOL=goroutine they are plain ones,
// which share the workers: then nothing is handed to another thread.
func startPool(workers int) chan<- job {
	jobs := make(chan job, flight)
	apart := os.Getenv("BENCH_POOL") != "goroutine"
	for i := 0; i < workers; i++ {
		go func() {
			if apart {
				runtime.LockOSThread()
			}
			for job := range jobs {
				job.done <- job.run()
			}
		}()
	}
	return jobs
}

func one() int { return 1 }

func offloadRoundtrip(workers, size int) int {
	jobs := startPool(workers)
	done := make(chan int, 1)
	sum := 0
	for i := 0; i < size; i++ {
		jobs <- job{one, done}
		sum += <-done
	}
	close(jobs)
	return sum
}

func offload1000(workers, size int) int {
	jobs := startPool(workers)
	done := make(chan int, flight)
	sum := 0
	for i := 0; i < size/flight; i++ {
		for i := 0; i < flight; i++ {
			jobs <- job{one, done}
		}
		for i := 0; i < flight; i++ {
			sum += <-done
		}
	}
	close(jobs)
	return sum
}
