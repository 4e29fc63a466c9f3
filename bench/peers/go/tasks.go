package main

import (
	"runtime"
	"sync"
)

var ones []uint32 // kept from the round that warms up

func spawnJoin(_, size int) int {
	var all sync.WaitGroup
	if ones == nil {
		ones = make([]uint32, size)
	}
	all.Add(size)
	for i := range ones {
		ones[i] = 0
		go func(one *uint32) {
			*one = 1
			all.Done()
		}(&ones[i])
	}
	all.Wait()
	sum := 0
	for _, one := range ones {
		sum += int(one)
	}
	return sum
}

func spawnAwait(_, size int) int {
	sum := 0
	done := make(chan int)
	for i := 0; i < size; i++ {
		go func() { done <- 1 }()
		sum += <-done
	}
	return sum
}

const turners = 100

// So many goroutines take turns.
func yield(_, size int) int {
	var all sync.WaitGroup
	all.Add(turners)
	for i := 0; i < turners; i++ {
		go func() {
			for i := 0; i < size/turners; i++ {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
	return size / turners * turners
}

func grow(up chan<- int, first, leaves int) {
	if leaves == 1 {
		up <- first
		return
	}
	sums := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go grow(sums, first+i*leaves/10, leaves/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-sums
	}
	up <- sum
}

func skynet(_, size int) int {
	up := make(chan int, 1)
	go grow(up, 0, size)
	return <-up
}
