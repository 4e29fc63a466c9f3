package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const churners, rest, giveUp = 1000, 2 * time.Millisecond, 5 * time.Millisecond

func timerChurn(_, size int) int {
	var all sync.WaitGroup
	all.Add(churners)
	for i := 0; i < churners; i++ {
		go func() {
			timer := time.NewTimer(time.Hour)
			timer.Stop()
			for i := 0; i < size/churners; i++ {
				timer.Reset(10*time.Second + time.Duration(i)*time.Microsecond)
				runtime.Gosched()
				timer.Stop()
			}
			all.Done()
		}()
	}
	all.Wait()
	return size / churners * churners
}

func residentBytes() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	var all, resident int
	fmt.Sscan(string(text), &all, &resident)
	return float64(resident * os.Getpagesize())
}

func sleepers(_, size int) int {
	var arrived sync.WaitGroup
	before := residentBytes()
	arrived.Add(size)
	for i := 0; i < size; i++ {
		go func() {
			arrived.Done()
			time.Sleep(time.Hour)
		}()
	}
	arrived.Wait()
	say("bytes_each", (residentBytes()-before)/float64(size))
	maps, _ := os.ReadFile("/proc/self/maps")
	say("mappings", float64(strings.Count(string(maps), "\n")))
	return size
}

var clock = time.Now()

func now() int64 { return int64(time.Since(clock)) + 1 }

func stealLatency(_, size int) int {
	var begun atomic.Int64
	spans := make([]time.Duration, size)
	for i := range spans {
		time.Sleep(rest)
		begun.Store(0)
		done := make(chan bool, 1)
		start := now()
		go func() {
			begun.Store(now())
			done <- true
		}()
		for begun.Load() == 0 && now()-start < int64(giveUp) {
		}
		<-done
		spans[i] = time.Duration(begun.Load() - start)
	}
	saySpans(spans)
	return size
}

// The foreign thread is a goroutine that keeps a thread for itself and sleeps in the kernel.
func wakeLatency(_, size int) int {
	spans := make([]time.Duration, size)
	rung := make(chan bool, 1)
	var rungAt atomic.Int64
	go func() {
		runtime.LockOSThread()
		span := syscall.NsecToTimespec(int64(rest))
		for range spans {
			syscall.Nanosleep(&span, nil)
			for rungAt.Load() != 0 {
				syscall.Nanosleep(&span, nil)
			}
			rungAt.Store(now())
			rung <- true
		}
	}()
	for i := range spans {
		<-rung
		spans[i] = time.Duration(now() - rungAt.Load())
		rungAt.Store(0)
	}
	saySpans(spans)
	return size
}
