package certauth

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// withoutTrailers returns a request whose trailers never contain one of the source's headers,
// neither now nor later. It returns r itself if r announces none.
//
// net/http keeps writing to the trailers of its own request: for HTTP/1, the code that reads or
// closes the body stores every arriving trailer in that map, announced or not. The handler
// therefore gets a separate map with the announced trailers, which [trailerBody] fills. It never
// sees a trailer that was not announced: if none was, it has a copy of the request ([withOutcome])
// without a map to which net/http could add one.
func (s *headerSet) withoutTrailers(r *http.Request) *http.Request {
	if len(s.names) == 0 || r.Trailer == nil {
		return r
	}
	own := r.WithContext(r.Context()) // a copy, whose Trailer the server does not set
	own.Trailer = http.Header{}
	for name, values := range r.Trailer {
		if !s.has(name) { // r keeps its map unchanged, because middleware outside may be reading it
			own.Trailer[name] = values
		}
	}
	if r.Body != nil && r.Body != http.NoBody {
		own.Body = &trailerBody{ReadCloser: r.Body, from: r, to: own.Trailer}
	}
	return own
}

// trailerBody copies the announced trailers into the handler's map once, when they have arrived:
// in the first Read that returns [io.EOF], before it returns, or otherwise in Close, when net/http
// reads the rest of the body. At the same time net/http itself writes them, and a handler that
// follows the rules of [http.Request] does not read them earlier.
//
// A transport can read the body in one goroutine and close it in another, and can continue with
// both after the handler has returned and the server closes the body too. A Close writes to the
// map that is copied from. Therefore Read copies nothing while the body is being closed, and
// nothing is copied after the handler has returned.
type trailerBody struct {
	io.ReadCloser
	from *http.Request // whose trailers net/http writes

	mutex   sync.Mutex
	to      http.Header // the handler's; nil when the copying has ended
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

// fill copies the trailers that have arrived, once. The caller holds the mutex.
func (b *trailerBody) fill() {
	for name := range b.to {
		if values, ok := b.from.Trailer[name]; ok {
			b.to[name] = values
		}
	}
	b.to = nil
}
