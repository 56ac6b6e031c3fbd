package main

import (
	"net/http/httptest"
	"testing"
)

func TestGreetsByName(t *testing.T) {
	response := httptest.NewRecorder()
	handler().ServeHTTP(response, httptest.NewRequest("GET", "/hello/Ada", nil))
	if got := response.Body.String(); got != "Hello, Ada!\n" {
		t.Errorf("got %q", got)
	}
}
