package certauth

import (
	"crypto/x509"
	"net/http"
	"reflect"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/flight"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// readings are the certificates that are being read and judged for the first time, by the hash
// of what was offered. Requests that offer the same at the same time share the reading, and with
// it the facts, until the last of them has its answer. The hash is over a sample: a request that
// finds the reading of something else reads for itself.
type readings = flight.Group[uint64, *reading]

// reading is what was read of one offer.
type reading struct {
	key     source.Key
	certs   []*x509.Certificate // where the source hands them out parsed
	facts   *facts
	refused *Error
}

// readShared reads for all who wait. A panic is a refusal for each of them.
func (a *Authenticator) readShared(offer *source.Offer, key source.Key, hash uint64) (done *reading) {
	done = &reading{key: key, certs: offer.Certificates}
	defer func() {
		if value := recover(); value != nil {
			done.facts, done.refused = nil, a.panicked("Source", value)
		}
	}()
	done.facts, done.refused = a.read(offer)
	if f := done.facts; f != nil {
		f.Key, f.Hash = key, hash
		if offer.Certificates == nil {
			f.source = a.source
		}
	}
	return done
}

// isOf reports whether the reading is of what this request offers. Equal texts give equal
// certificates, but a source that hands out parsed certificates may have changed them beside
// their DER.
func (done *reading) isOf(offer *source.Offer) bool {
	if !offer.Is(done.key) {
		return false
	}
	for i, cert := range offer.Certificates {
		if cert != done.certs[i] && !reflect.DeepEqual(cert, done.certs[i]) {
			return false
		}
	}
	return true
}

// checkNew judges a certificate that is not known yet and, if it is accepted, remembers
// the facts about it.
func (a *Authenticator) checkNew(r *http.Request, now time.Time, hash uint64, e *evaluation) (*Identity, *Error) {
	offer := &e.offer
	if a.cache == nil || !recognisable(offer) {
		return a.checkAlone(r, now, e)
	}
	key := offer.Key()
	call, first := a.readings.Join(hash)
	defer a.readings.Leave(hash, call)
	if first {
		a.readings.Finish(call, a.readShared(offer, key, hash))
	}
	done, err := a.readings.Wait(r.Context(), call)
	if err != nil {
		return nil, refusal(ReasonRequestCanceled, "Source", "%w", err)
	}
	// What another request has read may be refused by pins that are no longer in use.
	if !first && (!done.isOf(offer) || done.refused != nil && done.refused.Reason == ReasonPinMismatch) {
		done = a.readShared(offer, key, hash)
	}
	if done.refused != nil {
		own := *done.refused // hooks may write to what they are given
		return nil, &own
	}
	f := done.facts
	id, refused := a.judge(r.Context(), now, f, e)
	if refused == nil && f.memorable(key) {
		f.own()
		f.release()
		a.cache.Insert(f)
	}
	return id, refused
}

// checkAlone shares nothing and remembers nothing.
func (a *Authenticator) checkAlone(r *http.Request, now time.Time, e *evaluation) (*Identity, *Error) {
	f, refused := a.read(&e.offer)
	if refused != nil {
		return nil, refused
	}
	return a.judge(r.Context(), now, f, e)
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
