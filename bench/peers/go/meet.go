package main

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
