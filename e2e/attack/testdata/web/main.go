// Command web is a service without a model: it returns who answered, and begins to
// listen START_AFTER its start, as one does that loads a model first.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	wait, _ := time.ParseDuration(os.Getenv("START_AFTER"))
	time.Sleep(wait)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "answered by the service") })
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
