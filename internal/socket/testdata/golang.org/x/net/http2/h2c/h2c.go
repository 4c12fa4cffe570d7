// Package h2c stands for golang.org/x/net/http2/h2c, which this module does not require: its
// handlers are known by the end of the path of their package.
package h2c

import "net/http"

// Handler is used as a value and by a pointer.
type Handler struct{}

// ServeHTTP implements [http.Handler].
func (Handler) ServeHTTP(http.ResponseWriter, *http.Request) {}
