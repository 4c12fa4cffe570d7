package certauthtest

import (
	"io"
	"math/big"
	"net/http"
	"sync"
	"time"
)

// Fault is a fault of a [Responder] or a [CRLServer]. None of it is evidence.
type Fault int

const (
	// Healthy answers as it should. It is the zero value.
	Healthy Fault = iota
	// Down answers 503.
	Down
	// Hanging answers nothing until the client gives up.
	Hanging
	// Forged signs with a key that is not the CA's, in the CA's name, as an attacker
	// between the service and the CA would.
	Forged
	// Garbage answers 200 with a page in HTML, as a captive portal does.
	Garbage
)

// standing is the state of a responder or a list: the status of each serial number, the
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

// Revoke says from now on that the certificate with this serial number is revoked, for a
// reason of RFC 5280, section 5.3.1: 0 unspecified, 1 keyCompromise, 6 certificateHold ...
// A second call changes the reason. Whether the CA has issued it is not asked.
func (s *standing) Revoke(serial *big.Int, reason int) {
	s.change(func() {
		s.revoked[serial.String()] = revocation{serial: new(big.Int).Set(serial), at: s.now(), reason: reason}
	})
}

// Restore takes the revocation back, as only a certificateHold can be.
func (s *standing) Restore(serial *big.Int) {
	s.change(func() { delete(s.revoked, serial.String()) })
}

// SetFault makes it fail from now on, or work again.
func (s *standing) SetFault(fault Fault) {
	s.change(func() { s.fault = fault })
}

// SetClock sets the clock that evidence is dated by. The default is time.Now.
func (s *standing) SetClock(now func() time.Time) {
	s.change(func() { s.now = now })
}

// SetValidity dates evidence: thisUpdate is that long before the moment it is made and
// nextUpdate that long after. The default is a second, since programs that count whole
// seconds may be one behind, and 24 hours. A negative ahead makes evidence that has run
// out; CRLs need ago + ahead to be positive.
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

// failed answers in place of evidence, for the faults that have none.
func (f Fault) failed(w http.ResponseWriter, r *http.Request) bool {
	switch f {
	case Down:
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
	case Hanging:
		_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection is not noticed
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
