// Command service greets over HTTP.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

func greet(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Hello, %s!\n", r.PathValue("name"))
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", greet)
	return mux
}

func main() {
	check := flag.Bool("check", false, "only check the configuration")
	flag.Parse()
	port := os.Getenv("PORT")
	if port == "" {
		log.Fatal("PORT is not set")
	}
	if *check {
		return
	}
	log.Fatal(http.ListenAndServe(":"+port, handler()))
}
