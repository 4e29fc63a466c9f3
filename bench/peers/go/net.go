package main

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

const seed = 88172645

var jobsDone atomic.Int64

func compute(x uint64, steps int) uint64 {
	for i := 0; i < steps; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func computeForEver(steps int, right uint64) {
	for {
		if compute(seed, steps) != right {
			fmt.Fprintln(os.Stderr, "a job's answer is wrong")
			os.Exit(1)
		}
		jobsDone.Add(1)
	}
}

func readByte() {
	var bytes [1]byte
	if n, _ := os.Stdin.Read(bytes[:]); n != 1 {
		os.Exit(1) // bench/run has gone
	}
}

// See listen_to_bench in bench/bench.h.
func listenToBench() {
	readByte()
	begin, before := time.Now(), jobsDone.Load()
	readByte()
	say("jobs_per_s", float64(jobsDone.Load()-before)/time.Since(begin).Seconds())
	os.Exit(0)
}

func echo(client net.Conn) {
	bytes := make([]byte, 4096)
	for {
		n, err := client.Read(bytes)
		if n > 0 {
			_, err = client.Write(bytes[:n])
		}
		if err != nil {
			client.Close()
			return
		}
	}
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return listener
}

func echoServer(workers, steps int) int {
	go listenToBench()
	for i := 0; steps > 0 && i < workers; i++ {
		go computeForEver(steps, compute(seed, steps))
	}
	listener := listen()
	say("port", float64(listener.Addr().(*net.TCPAddr).Port))
	for {
		client, err := listener.Accept()
		if err != nil {
			return -1
		}
		go echo(client)
	}
}

func idle(_, size int) int {
	listener := listen()
	for i := 0; i < size; i++ {
		net.Dial("tcp", listener.Addr().String())
		far, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go far.Read(make([]byte, 1))
		go time.Sleep(time.Hour)
	}
	fmt.Println("result", size)
	time.Sleep(time.Hour)
	return size
}
