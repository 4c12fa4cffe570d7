//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

const (
	// recovery is how long the documented pauses after a failure can delay the next use of a source
	// that answers again, plus some time for the machine.
	recovery = mostPause/worldSpeed + 5*time.Second
	// heard is the time that fetched evidence may take to become effective.
	heard = 2 * time.Second
	// scheduling is the delay that a busy machine may add to MaxWait.
	scheduling = 3 * time.Second
)

// bound is how long after a revocation a Good that was signed before it may still be used according
// to the documentation: its lifetime, the tolerance for clocks, and the duration of the request
// itself.
const bound = max(answerLife, listLife+listEvery) + clockSkew + 2*time.Minute

// oracle compares the decisions of instances with the documentation.
type oracle struct {
	run *soak

	mu       sync.Mutex
	breaches []string
	longest  time.Duration
	delays   []time.Duration // from a revocation to the first denial, by the world's clock
	checked  int
}

func (o *oracle) breach(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.breaches) < 50 {
		text := fmt.Sprintf("%s: ", time.Since(o.run.clock.began).Round(time.Millisecond)) + fmt.Sprintf(format, args...)
		o.breaches = append(o.breaches, text)
		fmt.Println("BREACH", text)
	}
}

// delivered records that an instance has received a revocation.
func (o *oracle) delivered(by *running, hexSerial string) {
	serial, ok := new(big.Int).SetString(hexSerial, 16)
	if !ok {
		return
	}
	by.mu.Lock()
	defer by.mu.Unlock()
	if key := serial.String(); by.revoked[key].IsZero() {
		by.revoked[key] = time.Now().Add(heard)
	}
}

// judge examines one request. It began at the real time began, when the clock of the instance
// showed before.
func (o *oracle) judge(by *running, c *call, r *http.Request, accepted bool, began, before time.Time) {
	ended := time.Now()
	if r.Context().Err() != nil || len(c.chain) == 0 && o.run.ending.Load() {
		return // the client has disconnected
	}
	if len(c.chain) == 0 {
		o.breach("%s refused a client before its revocation was looked at", by.name)
		return
	}
	serial := c.chain[0].SerialNumber.String()
	client := o.run.clients.find(serial)
	if client == nil {
		return
	}
	if stalled := o.run.faults.stalled(began, ended); c.took > maxWait+scheduling+stalled {
		o.breach("%s took %s for a chain of %s", by.name, c.took, client.name)
	}
	if ended.Sub(began) > 0 {
		o.mu.Lock()
		o.longest = max(o.longest, c.took)
		o.checked++
		o.mu.Unlock()
	}
	why := reason(c)
	o.run.faults.count(by, client, accepted, why, began, ended)
	revokedAt := client.revokedAt()
	if accepted {
		o.accepted(by, c, client, revokedAt, began)
		return
	}
	if c.answer.Status == certauth.RevocationRevoked {
		o.denied(by, client, revokedAt, ended)
		return
	}
	if revokedAt.IsZero() {
		o.refused(by, c, client, began, ended, before, why)
	}
}

// accepted looks for a false acceptance.
func (o *oracle) accepted(by *running, c *call, client *client, revokedAt, began time.Time) {
	by.mu.Lock()
	since, told := by.revoked[client.serial()]
	by.mu.Unlock()
	if told && since.Before(began) {
		o.breach("FALSE ACCEPT: %s let in %s, which it had found revoked %s earlier (%s by %s of %s)",
			by.name, client.name, began.Sub(since), c.answer.Status, c.answer.Source, c.answer.ThisUpdate.Format(time.TimeOnly))
		return
	}
	if revokedAt.IsZero() {
		o.remember(by, c, client)
		return
	}
	_, wrong := by.clock.get()
	late := o.run.clock.at(began).Sub(revokedAt)
	if late > bound+by.config.StaleGrace+2*wrong && c.answer.Status != certauth.RevocationWaived { // SoftFail documents this
		o.breach("FALSE ACCEPT: %s let in %s %s after the revocation (%s by %s, thisUpdate %s, nextUpdate %s)",
			by.name, client.name, late, c.answer.Status, c.answer.Source, c.answer.ThisUpdate.Format(time.TimeOnly), c.answer.NextUpdate.Format(time.TimeOnly))
	}
}

// remember occasionally asks until when the known evidence is valid.
func (o *oracle) remember(by *running, c *call, client *client) {
	if c.answer.Status != certauth.RevocationGood || c.answer.Stale {
		return
	}
	all, err := by.checker.Check(context.Background(), c.chain)
	if err != nil || all.Revocation.Status != certauth.RevocationGood || all.Revocation.Stale {
		return
	}
	var until time.Time
	for _, found := range all.Certificates {
		if end := found.Result.UsableUntil; until.IsZero() || end.Before(until) {
			until = end
		}
	}
	by.mu.Lock()
	defer by.mu.Unlock()
	by.usable[client.serial()] = until
}

func (o *oracle) denied(by *running, client *client, revokedAt, ended time.Time) {
	if revokedAt.IsZero() {
		o.breach("%s calls %s revoked, which it is not", by.name, client.name)
		return
	}
	by.mu.Lock()
	key := client.serial()
	_, told := by.revoked[key]
	if at, known := by.revoked[key]; !known || ended.Before(at) {
		by.revoked[key] = ended
	}
	by.mu.Unlock()
	if !told && revokedAt.After(o.run.clock.at(by.began)) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.delays = append(o.delays, o.run.clock.at(ended).Sub(revokedAt))
	}
}

// refused looks for a refusal of a good client that the documentation does not allow.
func (o *oracle) refused(by *running, c *call, client *client, began, ended, before time.Time, why string) {
	if errors.Is(c.err, revocation.ErrClosed) && (o.run.ending.Load() || by.instance.running.Load() != by) {
		return
	}
	if o.run.faults.stalled(began.Add(-recovery), ended) > 0 {
		return
	}
	doubtful := o.run.faults.explains(by, client, began, ended)
	if !doubtful.sources && !doubtful.anything {
		o.breach("%s refused %s although its sources answer: %s: %v", by.name, client.name, why, c.err)
		return
	}
	if doubtful.anything {
		return
	}
	by.mu.Lock()
	until := by.usable[client.serial()]
	by.mu.Unlock()
	if before.Before(until.Add(-time.Minute)) {
		o.breach("%s refused %s although what it knows counts for %s more: %s: %v", by.name, client.name, until.Sub(before), why, c.err)
	}
}

// reason returns the class of a refusal.
func reason(c *call) string {
	switch c.answer.Status {
	case certauth.RevocationRevoked:
		return "revoked"
	case certauth.RevocationUnknown:
		return "unknown"
	case certauth.RevocationGood, certauth.RevocationWaived:
		return c.answer.Status.String()
	case certauth.RevocationUnavailable:
	}
	for _, class := range []struct {
		name string
		err  error
	}{
		{"closed", revocation.ErrClosed},
		{"breaker open", revocation.ErrBreakerOpen},
		{"timeout", revocation.ErrTimeout},
		{"transport", revocation.ErrTransport},
		{"HTTP status", revocation.ErrHTTPStatus},
		{"bad signature", revocation.ErrBadSignature},
		{"malformed", revocation.ErrMalformed},
		{"responder status", revocation.ErrResponderStatus},
		{"not fresh", revocation.ErrNotFresh},
		{"not ready", revocation.ErrNotReady},
		{"no source", revocation.ErrNoSource},
	} {
		if errors.Is(c.err, class.err) {
			return class.name
		}
	}
	return "other"
}
