package certauth

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// badBody returns an error when it is closed.
type badBody struct{ io.Reader }

func (badBody) Close() error { return io.ErrUnexpectedEOF }

// A body is passed on unchanged, including its errors; a request without a body gets none.
func TestTrailer_BodyIsHandedOnAsItIs(t *testing.T) {
	set, err := newHeaderSet([]string{"X-Client-Cert"}, nil)
	require.NoError(t, err)
	with := func(body io.ReadCloser) *http.Request {
		return set.withoutTrailers(&http.Request{Body: body, Trailer: http.Header{"X-Sum": nil}, ContentLength: -1})
	}
	assert.Nil(t, with(nil).Body)
	assert.Equal(t, http.NoBody, with(http.NoBody).Body)
	assert.ErrorIs(t, with(badBody{strings.NewReader("x")}).Body.Close(), io.ErrUnexpectedEOF)
}

// Trailers are copied once, and not at all after the handler has returned or while the body is
// being closed, because net/http may be writing to them.
func TestTrailer_IsCopiedOnceAndInTime(t *testing.T) {
	set, err := newHeaderSet([]string{"X-Client-Cert"}, nil)
	require.NoError(t, err)
	fresh := func() (server, own *http.Request, body *trailerBody) {
		server = &http.Request{Body: io.NopCloser(strings.NewReader("")), Trailer: http.Header{"X-Sum": nil}, ContentLength: -1}
		own = set.withoutTrailers(server)
		return server, own, own.Body.(*trailerBody)
	}
	server, own, body := fresh()
	server.Trailer["X-Sum"] = []string{"1"}
	_, err = body.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, "1", own.Trailer.Get("X-Sum"))
	server.Trailer["X-Sum"] = []string{"2"}
	require.NoError(t, body.Close())
	assert.Equal(t, "1", own.Trailer.Get("X-Sum"), "once")

	server, own, body = fresh()
	server.Trailer["X-Sum"] = []string{"1"}
	body.handlerReturned()
	_, _ = body.Read(make([]byte, 1))
	require.NoError(t, body.Close())
	assert.Empty(t, own.Trailer.Get("X-Sum"), "the handler has returned")

	server, own, body = fresh()
	closing := make(chan struct{})
	goOn := make(chan struct{})
	body.ReadCloser = &slowClose{Reader: strings.NewReader(""), closing: closing, goOn: goOn}
	server.Trailer["X-Sum"] = []string{"1"}
	done := make(chan error)
	go func() { done <- body.Close() }()
	<-closing
	_, _ = body.Read(make([]byte, 1))
	assert.Empty(t, own.Trailer.Get("X-Sum"), "the body is being closed")
	close(goOn)
	require.NoError(t, <-done)
	assert.Equal(t, "1", own.Trailer.Get("X-Sum"))
}

type slowClose struct {
	io.Reader

	closing, goOn chan struct{}
}

func (s *slowClose) Close() error {
	close(s.closing)
	<-s.goOn
	return nil
}
