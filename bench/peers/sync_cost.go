// sync_cost - the works of bench/sync_cost.c in Go, on one processor. A sync.Mutex does not hand over
// in the order of arrival, so both hand-overs pass a token through a channel, which does.
package main

import (
	"fmt"
	"runtime"
	"sort"
	"sync"
	"time"
)

const rounds, turns = 11, 1000000

func lockAlone() {
	var mutex sync.Mutex
	for i := 0; i < turns; i++ {
		mutex.Lock()
		mutex.Unlock()
	}
}

func semAlone() {
	permits := make(chan struct{}, 1)
	for i := 0; i < turns; i++ {
		permits <- struct{}{}
		<-permits
	}
}

func handover() {
	permits := make(chan struct{}, 1)
	var both sync.WaitGroup
	pass := func() {
		for i := 0; i < turns/2; i++ {
			permits <- struct{}{}
			if i == 0 {
				runtime.Gosched()
			}
			<-permits
		}
		both.Done()
	}
	both.Add(2)
	go pass()
	go pass()
	both.Wait()
}

func measure(name string, work func()) {
	ns := make([]float64, rounds)
	work()
	for i := range ns {
		begin := time.Now()
		work()
		ns[i] = float64(time.Since(begin).Nanoseconds()) / turns
	}
	sort.Float64s(ns)
	fmt.Printf("%s\tgo\t%.1f\tns\t%.1f\t%.1f\n", name, ns[rounds/2], ns[0], ns[rounds-1])
}

func main() {
	runtime.GOMAXPROCS(1)
	measure("lock_alone", lockAlone)
	measure("sem_alone", semAlone)
	measure("sem_handover", handover)
}
