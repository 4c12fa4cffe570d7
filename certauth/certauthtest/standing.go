package certauthtest

import (
	"io"
	"math/big"
	"net/http"
	"sync"
	"time"
)

// Fault is a fault of a [Responder] or a [CRLServer]. None of the faults yields valid evidence.
type Fault int

const (
	// Healthy answers normally. It is the zero value.
	Healthy Fault = iota
	// Down answers 503.
	Down
	// Hanging sends no answer until the client gives up.
	Hanging
	// Forged signs in the CA's name with a key that is not the CA's, like an attacker between the
	// service and the CA.
	Forged
	// Garbage answers 200 with an HTML page, like a captive portal.
	Garbage
)

// standing is the state of a responder or a CRL server: the status of each serial number, the
// clock, and the fault.
type standing struct {
	mu         sync.Mutex
	revoked    map[string]revocation
	changes    int
	fault      Fault
	now        func() time.Time
	ago, ahead time.Duration
}

type revocation struct {
	serial *big.Int
	at     time.Time
	reason int
}

// Revoke revokes the certificate with this serial number, with a reason of RFC 5280, section
// 5.3.1 (0 unspecified, 1 keyCompromise, 6 certificateHold, ...). A second call changes the
// reason. It does not matter whether the CA has issued the certificate.
func (s *standing) Revoke(serial *big.Int, reason int) {
	s.change(func() {
		s.revoked[serial.String()] = revocation{serial: new(big.Int).Set(serial), at: s.now(), reason: reason}
	})
}

// Restore ends the revocation. A real CA can do so only for certificateHold.
func (s *standing) Restore(serial *big.Int) {
	s.change(func() { delete(s.revoked, serial.String()) })
}

// SetFault makes all later requests meet the fault; [Healthy] ends it.
func (s *standing) SetFault(fault Fault) {
	s.change(func() { s.fault = fault })
}

// SetClock sets the clock for the dates of evidence. The default is time.Now.
func (s *standing) SetClock(now func() time.Time) {
	s.change(func() { s.now = now })
}

// SetValidity sets the dates of evidence: thisUpdate is ago before, and nextUpdate is ahead
// after, the time at which it is made. The defaults are one second, because programs that count
// whole seconds may be one behind, and 24 hours. A negative ahead makes evidence that has
// expired. For CRLs, ago + ahead must be positive.
func (s *standing) SetValidity(ago, ahead time.Duration) {
	s.change(func() { s.ago, s.ahead = ago, ahead })
}

func (s *standing) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changes++
}

func newStanding() *standing {
	return &standing{revoked: map[string]revocation{}, now: time.Now, ago: time.Second, ahead: 24 * time.Hour}
}

// failed answers the request for faults that produce no evidence.
func (f Fault) failed(w http.ResponseWriter, r *http.Request) bool {
	switch f {
	case Down:
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
	case Hanging:
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the end of the connection goes unnoticed
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Garbage:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html><title>Sign in</title><p>Please accept our terms to use this network.\n"))
	case Healthy, Forged:
		return false
	}
	return true
}
