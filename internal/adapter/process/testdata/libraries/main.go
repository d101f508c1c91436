// Goroutines, a server on a socket, garbage and a process.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"sync"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	var wait sync.WaitGroup
	for range 200 {
		wait.Go(func() {
			resp, err := http.Get(server.URL)
			if err != nil {
				panic(err)
			}
			resp.Body.Close()
			_ = make([]byte, 1<<20)
		})
	}
	wait.Wait()
	runtime.GC()
	if err := exec.Command("true").Run(); err != nil {
		panic(err)
	}
	fmt.Println(runtime.Version(), "works")
}
