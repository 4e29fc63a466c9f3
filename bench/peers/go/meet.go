package main

import (
	"runtime"
	"sync"
)

func channelRoundtrip(_, size int) int {
	there, back := make(chan int), make(chan int)
	go func() {
		for item := range there {
			back <- item + 1
		}
	}()
	item := 0
	for i := 0; i < size; i++ {
		there <- item
		item = <-back
	}
	close(there)
	return item
}

const producers, manyRoom, lockers, holdEvery = 8, 128, 8, 100

func channelMany(_, size int) int {
	channel := make(chan int, manyRoom)
	sums := make(chan int, producers)
	var all sync.WaitGroup
	all.Add(producers)
	for i := 0; i < producers; i++ {
		go func(first int) {
			for item := first; item < first+size/producers; item++ {
				channel <- item
			}
			all.Done()
		}(i * (size / producers))
		go func() {
			sum := 0
			for item := range channel {
				sum += item
			}
			sums <- sum
		}()
	}
	all.Wait()
	close(channel)
	sum := 0
	for i := 0; i < producers; i++ {
		sum += <-sums
	}
	return sum
}

func mutexContended(_, size int) int {
	var all sync.WaitGroup
	var mutex sync.Mutex
	value := 0
	all.Add(lockers)
	for i := 0; i < lockers; i++ {
		go func() {
			for i := 0; i < size/lockers; i++ {
				mutex.Lock()
				value++
				if i%holdEvery == 0 {
					runtime.Gosched()
				}
				mutex.Unlock()
			}
			all.Done()
		}()
	}
	all.Wait()
	return value
}

func generate(out chan<- int) {
	for n := 2; ; n++ {
		out <- n
	}
}

func passIndivisible(in <-chan int, out chan<- int, prime int) {
	for {
		if n := <-in; n%prime != 0 {
			out <- n
		}
	}
}

// As in Go's own test/chan/sieve1.go: the goroutines are left behind.
func primeSieve(_, size int) int {
	channel := make(chan int)
	go generate(channel)
	prime := 0
	for i := 0; i < size; i++ {
		prime = <-channel
		next := make(chan int)
		go passIndivisible(channel, next, prime)
		channel = next
	}
	return prime
}
