// Command web is a service without a model: it returns who answered, begins to listen
// START_AFTER its start, as one does that loads a model first, and stops to listen for
// a while after POST /deaf, as one does that starts its workers anew. It breaks off at
// /abort, fails at /fail, reads a body at /upload, and shows what it got at /request.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	wait, _ := time.ParseDuration(os.Getenv("START_AFTER"))
	time.Sleep(wait)
	for {
		listener, err := net.Listen("tcp", ":"+os.Getenv("PORT"))
		if err != nil {
			fmt.Println(err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		server := &http.Server{}
		server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/abort" {
				panic(http.ErrAbortHandler)
			}
			if r.URL.Path == "/fail" {
				w.WriteHeader(http.StatusInternalServerError)
			}
			if r.URL.Path == "/upload" {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			fmt.Fprintln(w, "answered by the service")
			if r.URL.Path == "/request" {
				fmt.Fprintln(w, r.Method, r.Header)
			}
			if r.Method == http.MethodPost {
				time.AfterFunc(100*time.Millisecond, func() { server.Close() })
			}
		})
		fmt.Println(server.Serve(listener))
		time.Sleep(2 * time.Second)
	}
}
