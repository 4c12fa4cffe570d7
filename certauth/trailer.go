package certauth

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// withoutTrailers returns the request as a handler may see it: none of the source's headers
// is among its trailers, now or later. It is r itself if r cannot have trailers.
//
// net/http keeps writing to the trailers of its own request: for HTTP/1, whoever reads or
// closes the body stores every trailer that arrives in that map, announced or not. The
// handler therefore gets a map of its own, with the trailers that were announced, and
// [trailerBody] fills that one. The handler never sees a trailer that was not announced:
// if none was, there is no map that net/http could add one to.
func (s *headerSet) withoutTrailers(r *http.Request) *http.Request {
	if len(s.names) == 0 || r.Trailer == nil && r.ContentLength >= 0 {
		return r
	}
	own := r.WithContext(r.Context()) // a copy: its Trailer is not the server's to set
	if r.Trailer == nil {
		return own
	}
	own.Trailer = http.Header{}
	for name, values := range r.Trailer {
		if s.has(name) {
			delete(r.Trailer, name)
		} else {
			own.Trailer[name] = values
		}
	}
	if r.Body != nil && r.Body != http.NoBody {
		own.Body = &trailerBody{ReadCloser: r.Body, from: r, to: own.Trailer}
	}
	return own
}

// trailerBody copies the announced trailers into the handler's map when they have arrived,
// which is once: in the first Read that returns [io.EOF], before it returns, or else in
// Close, when net/http reads the rest of the body. That is when net/http itself writes them,
// and a handler that follows the rules of [http.Request] does not look at them earlier.
//
// A transport can read the body in one goroutine and close it in another, and can go on
// with both when the handler has returned and the server closes the body as well. Whoever
// closes it writes to the map that is copied from, so nothing is copied by a Read while the
// body is being closed, nor by anybody once the handler has returned.
type trailerBody struct {
	io.ReadCloser
	from *http.Request // whose trailers net/http writes

	mutex   sync.Mutex
	to      http.Header // the handler's; nil when there is nothing to copy any more
	closing bool
}

// Read implements [io.Reader].
func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		if !b.closing {
			b.fill()
		}
	}
	return n, err
}

// Close implements [io.Closer].
func (b *trailerBody) Close() error {
	b.mutex.Lock()
	b.closing = true
	b.mutex.Unlock()
	err := b.ReadCloser.Close()
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.fill()
	return err
}

// handlerReturned ends the copying.
func (b *trailerBody) handlerReturned() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.to = nil
}

// fill copies what has arrived, once. The mutex is held.
func (b *trailerBody) fill() {
	for name := range b.to {
		if values, ok := b.from.Trailer[name]; ok {
			b.to[name] = values
		}
	}
	b.to = nil
}
