package fetch_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding K101: if a request has no Accept-Encoding, a server may compress the response (RFC 9110, section
// 12.5.3), as Traefik does with defaultEncoding. A compressed list is refused, so the request must say
// that it wants none.
func TestFetch_AServerThatMayCompressDoesNot(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, says := r.Header["Accept-Encoding"]; says {
			fmt.Fprint(w, "list")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		compressor := gzip.NewWriter(w)
		_, err := compressor.Write([]byte("list"))
		assert.NoError(t, errors.Join(err, compressor.Close()))
	})
	response, err := newFetcher(t, reaching(t, server.URL)).Fetch(t.Context(), forCRL(server.URL))
	require.NoError(t, err)
	assert.Equal(t, "list", string(response.Body))
}

// finding K102: the content type of a list need not be correct (rule F8), so a server that has another
// one for it must not have to answer 406 (RFC 9110, section 12.5.1).
func TestFetch_AListOfAnyContentTypeIsAcceptable(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		const kind = "application/octet-stream"
		if accept := r.Header.Get("Accept"); !strings.Contains(accept, kind) && !strings.Contains(accept, "*/*") {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", kind)
		fmt.Fprint(w, "list")
	})
	response, err := newFetcher(t, reaching(t, server.URL)).Fetch(t.Context(), forCRL(server.URL))
	require.NoError(t, err)
	assert.Equal(t, "list", string(response.Body))
}
