package certauth

import (
	"crypto/x509"
	"net/http"
	"reflect"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/flight"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// readings are the certificates that are being read and judged for the first time, by the hash of
// the offer. Concurrent requests with the same offer share the reading, and with it the facts,
// until the last of them has its answer. The hash covers only a sample, so a request that finds
// the reading of another offer reads its own.
type readings = flight.Group[uint64, *reading]

// reading is the result of reading one offer.
type reading struct {
	key     source.Key
	certs   []*x509.Certificate // if the source returns parsed certificates
	facts   *facts
	refused *Error
}

// readShared reads for all waiting requests. A panic becomes a refusal for each of them.
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

// isOf reports whether the reading is of this offer. Equal texts give equal certificates, but a
// source that returns parsed certificates may have changed them without changing their DER.
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

// checkNew judges a certificate that is not in the cache and, if it is accepted, remembers the
// facts about it.
func (a *Authenticator) checkNew(r *http.Request, now time.Time, hash uint64, e *evaluation) (*Identity, *Error) {
	offer := &e.offer
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
	// The reading of another request may have been refused by pins that are no longer in use.
	if !first && (!done.isOf(offer) || done.refused != nil && done.refused.Reason == ReasonPinMismatch) {
		done = a.readShared(offer, key, hash)
	}
	if done.refused != nil {
		own := *done.refused // hooks may write to it
		return nil, &own
	}
	f := done.facts
	id, refused := a.judge(r.Context(), now, f, e)
	if refused == nil && f.memorable(key) {
		f.own()
		f.release()
		if f.source != nil {
			a.siblings.Keep(f.leaf)
		}
		a.cache.Insert(f)
	}
	return id, refused
}

// read turns an offer into facts. The source passes the leaf's DER before it parses it, so that a
// refusal can name the certificate.
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
		if certs[0] != nil {
			a.siblings.Share(certs[0])
		}
	}
	f, refused := newFacts(certs)
	if refused != nil && certs[0] != nil {
		return nil, refused.ofUnread(certs[0].Raw)
	}
	return f, refused
}
