// Command failing is a service that fails in the way that MODE names.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	mode := os.Getenv("MODE")
	fmt.Println("loading the model")
	switch mode {
	case "crash":
		fmt.Fprintln(os.Stderr, "no such file: model.pkl")
		os.Exit(1)
	case "memory":
		for all := [][]byte{}; ; {
			all = append(all, make([]byte, 8<<20))
			for i := range all[len(all)-1] {
				all[len(all)-1][i] = 1
			}
		}
	}
	http.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if mode == "unhealthy" {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, `{"error": "the database is not reachable"}`)
			return
		}
		fmt.Fprint(w, "OK")
	})
	http.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /predict", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"class": "UM"}`) })
	address := "127.0.0.1:" + os.Getenv("PORT")
	if mode == "wrong port" {
		address = "127.0.0.1:0"
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe(address, nil))
	os.Exit(1)
}
