package certauth

import (
	"context"
	"crypto/x509"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// readings are the certificates that are being read and judged for the first time, so that
// requests which offer the same one at the same time share the work. Nothing stays when
// the last of them has its answer; what was accepted is in the cache by then.
type readings struct {
	mutex sync.Mutex
	open  map[uint64][]*reading
}

// reading is one of them. The key is a copy, fixed before anybody waits.
type reading struct {
	key     source.Key
	hash    uint64
	certs   []*x509.Certificate // where the source hands them out parsed
	facts   *facts
	refused *Error

	// Guarded by the mutex of the readings.
	users int
	over  bool          // facts or refused is there
	done  chan struct{} // closed when it is over; made for the first who has to wait
}

// maxSameSample bounds the readings of one hash. It is over a sample, which strangers can
// make the same in all they send; beyond the bound a reading is done without being shared.
const maxSameSample = 4

// join returns the reading of this key; first says that the caller is to do it.
func (rs *readings) join(hash uint64, offer *source.Offer) (joined *reading, first bool) {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	for _, known := range rs.open[hash] {
		if offer.Is(known.key) {
			known.users++
			if known.done == nil && !known.over {
				known.done = make(chan struct{})
			}
			return known, false
		}
	}
	if rs.open == nil {
		rs.open = map[uint64][]*reading{}
	}
	begun := &reading{key: offer.Key(), hash: hash, certs: offer.Certificates, users: 1}
	if len(rs.open[hash]) < maxSameSample {
		rs.open[hash] = append(rs.open[hash], begun)
	}
	return begun, true
}

// finish lets those who wait go on.
func (rs *readings) finish(finished *reading) {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	finished.over = true
	if finished.done != nil {
		close(finished.done)
	}
}

// leave forgets the reading with its last user.
func (rs *readings) leave(left *reading) {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	if left.users--; left.users > 0 {
		return
	}
	others := slices.DeleteFunc(rs.open[left.hash], func(other *reading) bool { return other == left })
	if len(others) == 0 {
		delete(rs.open, left.hash)
		return
	}
	rs.open[left.hash] = others
}

// read does the reading. A panic in it is a refusal for all who wait.
func (reading *reading) read(a *Authenticator, offer *source.Offer) {
	defer a.readings.finish(reading)
	defer func() {
		if value := recover(); value != nil {
			reading.facts, reading.refused = nil, a.panicked("Source", value)
		}
	}()
	reading.facts, reading.refused = a.read(offer)
	if f := reading.facts; f != nil {
		f.key, f.hash = reading.key, reading.hash
		if offer.Certificates == nil {
			f.source = a.source
		}
	}
}

// wait returns what another request reads, or gives up when ctx ends. The reading goes on
// without it. Without a channel it was over when this request joined.
func (reading *reading) wait(ctx context.Context) (*facts, *Error) {
	if reading.done != nil {
		select {
		case <-reading.done:
		case <-ctx.Done():
			return nil, refusal(ReasonRequestCanceled, "Source", "%w", ctx.Err())
		}
	}
	return reading.result()
}

// isOf reports whether the reading is of what this request offers. Equal texts are, but a
// source that hands out parsed certificates may have changed them beside their DER.
func (reading *reading) isOf(offer *source.Offer) bool {
	for i, cert := range offer.Certificates {
		if cert != reading.certs[i] && !reflect.DeepEqual(cert, reading.certs[i]) {
			return false
		}
	}
	return true
}

// result is what was read. Each who asks has the refusal for itself.
func (reading *reading) result() (*facts, *Error) {
	if reading.refused != nil {
		own := *reading.refused
		return nil, &own
	}
	return reading.facts, nil
}

// checkNew judges a certificate that is not known yet and, if it is accepted, remembers
// the facts about it.
func (a *Authenticator) checkNew(r *http.Request, now time.Time, hash uint64, offer *source.Offer) (*Identity, *Error) {
	if a.cache == nil || !recognisable(offer) {
		return a.checkAlone(r, now, offer)
	}
	reading, first := a.readings.join(hash, offer)
	defer a.readings.leave(reading)
	var f *facts
	var refused *Error
	switch {
	case first:
		reading.read(a, offer)
		f, refused = reading.result()
	case !reading.isOf(offer):
		return a.checkAlone(r, now, offer)
	default:
		f, refused = reading.wait(r.Context())
		if refused != nil && refused.Reason == ReasonPinMismatch { // perhaps by pins that are no longer in use
			return a.checkAlone(r, now, offer)
		}
	}
	if refused != nil {
		return nil, refused
	}
	id, refused := a.judge(r.Context(), now, f)
	if refused == nil && f.memorable(reading.key) {
		f.own()
		f.release()
		a.cache.insert(f)
	}
	return id, refused
}

// checkAlone shares nothing and remembers nothing.
func (a *Authenticator) checkAlone(r *http.Request, now time.Time, offer *source.Offer) (*Identity, *Error) {
	f, refused := a.read(offer)
	if refused != nil {
		return nil, refused
	}
	return a.judge(r.Context(), now, f)
}

// read turns what was offered into facts. The source shows the leaf before it parses it, so
// that a refusal can name it.
func (a *Authenticator) read(offer *source.Offer) (*facts, *Error) {
	certs := offer.Certificates
	if certs == nil {
		var leaf []byte
		var err error
		certs, err = a.source.Decode(*offer, func(der []byte) error {
			leaf = der
			if a.screen == nil {
				return nil
			}
			return a.screen(der)
		})
		if err != nil {
			return nil, sourceError(err).ofUnread(leaf)
		}
		if len(certs) == 0 {
			return nil, sourceError(errNoCertificate())
		}
	}
	f, refused := newFacts(certs)
	if refused != nil && certs[0] != nil {
		return nil, refused.ofUnread(certs[0].Raw)
	}
	return f, refused
}
