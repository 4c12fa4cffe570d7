package revocation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// channel is a way in which evidence reaches an instance.
type channel int

const (
	byResponder channel = iota
	byPoint             // the distribution point of the certificate
	byDelta             // of that list
	byFile              // of the operator's directory
	channels
)

func (c channel) String() string {
	return [...]string{"the responder", "the point", "the delta", "the file"}[c]
}

// source returns the source that a decision names if it relies on the evidence.
func (c channel) source() string {
	if c == byResponder {
		return revocation.SourceOCSP.String()
	}
	return revocation.SourceCRL.String()
}

// proof is one piece of evidence about the model's client, as its CA signs it.
type proof struct {
	by         channel
	status     string // good, revoked, hold, unknown
	this, next time.Time
	base       int64 // of a delta, the number of the list that it continues
}

// mayCount reports whether the evidence is within its time, allowing for different clocks.
func (p proof) mayCount(at time.Time) bool {
	return !p.this.After(at.Add(skew)) && !at.After(p.next.Add(skew))
}

// counts reports whether it is within its time by every clock.
func (p proof) counts(at time.Time) bool { return !p.this.After(at) && at.Before(p.next) }

// model is a client, the current statement of its CA, and all earlier statements.
type model struct {
	*wired
	random *rand.Rand
	signed *signatures
	dir    string // of the operator, empty for none
	shelf  *shelf

	mu     sync.Mutex
	served [channels]*proof // nil: the channel fails
	said   []proof
	evil   bool // the store returns arbitrary evidence
}

// signatures stores the signed proofs, because signing is slow, and identifies bytes.
type signatures struct {
	mu  sync.Mutex
	of  map[proof][]byte
	are map[string]proof
}

// bytes returns the signed proof.
func (m *model) bytes(t testing.TB, p proof) []byte {
	t.Helper()
	m.signed.mu.Lock()
	defer m.signed.mu.Unlock()
	if der := m.signed.of[p]; der != nil {
		return der
	}
	der := m.sign(t, p)
	m.signed.of[p], m.signed.are[string(der)] = der, p
	return der
}

func (m *model) sign(t testing.TB, p proof) []byte {
	t.Helper()
	if p.by == byResponder {
		response := m.good()
		response.ProducedAt = ocsptest.At(p.this)
		response.Answers[0].ThisUpdate, response.Answers[0].NextUpdate = ocsptest.At(p.this), ocsptest.At(p.next)
		response.Answers[0].Status = map[string][]byte{
			"good": ocsptest.StatusGood, "revoked": revokedAt(p.this, keyCompromise), "hold": revokedAt(p.this, onHold), "unknown": ocsptest.StatusUnknown,
		}[p.status]
		return encode(t, response)
	}
	var entries []ocsptest.Entry
	switch p.status {
	case "revoked":
		entries = append(entries, entryFor(m.client))
	case "hold":
		entries = append(entries, entryFor(m.client, ocsptest.ReasonCode(onHold)))
	case "good":
		if p.by == byDelta {
			entries = append(entries, entryFor(m.client, ocsptest.ReasonCode(evidence.ReasonRemoveFromCRL)))
		}
	}
	if p.by == byDelta {
		return encode(t, m.numberedDelta(p.base, p.this.Unix(), p.this, p.next, entries...))
	}
	l := m.listAt(p.this, p.next, entries...)
	l.Extensions = append(l.Extensions, freshest(deltaURL))
	return encode(t, l)
}

// say lets the CA sign a new statement, with a time of its own, and serves it.
func (m *model) say(t testing.TB, by channel, status string, life time.Duration) proof {
	t.Helper()
	m.clock.advance(time.Second)
	m.mu.Lock()
	this := m.clock.now().Truncate(time.Second)
	var base int64
	for _, p := range m.said {
		if !p.this.Before(this) && p.this.Before(this.Add(time.Minute)) { // the clock has gone back
			this = p.this.Add(time.Second)
		}
	}
	if point := m.served[byPoint]; point != nil {
		base = point.this.Unix()
	}
	p := proof{by: by, status: status, this: this, next: this.Add(life)}
	if by == byDelta {
		p.base = base
	}
	m.said = append(m.said, p)
	m.served[by] = &p
	m.mu.Unlock()
	if by == byFile {
		m.write(t, m.bytes(t, p))
	}
	return p
}

// write puts a file into the operator's directory, safely for concurrent readers.
func (m *model) write(t testing.TB, content []byte) {
	t.Helper()
	temporary := filepath.Join(m.dir, ".new")
	write(t, temporary, content)
	require.NoError(t, os.Rename(temporary, filepath.Join(m.dir, "clients.crl")))
}

// silence makes a channel fail; a file becomes unreadable.
func (m *model) silence(t testing.TB, by channel) {
	t.Helper()
	m.mu.Lock()
	m.served[by] = nil
	m.mu.Unlock()
	if by == byFile {
		m.write(t, []byte("broken"))
	}
}

// replay serves an earlier statement again, if there is one.
func (m *model) replay(t testing.TB, by channel) {
	t.Helper()
	m.mu.Lock()
	var old []proof
	for _, p := range m.said {
		if p.by == by {
			old = append(old, p)
		}
	}
	if len(old) == 0 {
		m.mu.Unlock()
		return
	}
	p := old[m.random.IntN(len(old))]
	m.served[by] = &p
	m.mu.Unlock()
	if by == byFile {
		m.write(t, m.bytes(t, p))
	}
}

// modelled is one instance and the evidence that reached it.
type modelled struct {
	*model
	checker *revocation.Checker

	hearing  sync.Mutex
	heard    []heard
	answered []int     // how many proofs had arrived before its last answer
	looked   time.Time // at the file
	revoked  bool      // it has found the client permanently revoked
}

// heard is a proof that reached an instance, and the time.
type heard struct {
	proof
	at time.Time
}

func (i *modelled) hear(p proof) {
	i.hearing.Lock()
	defer i.hearing.Unlock()
	i.heard = append(i.heard, heard{p, i.clock.now()})
}

// Fetch is the network of an instance.
func (i *modelled) Fetch(_ context.Context, r revocation.Request) (revocation.Response, error) {
	by := byResponder
	switch {
	case r.Kind == fetch.CRL && r.URL == deltaURL:
		by = byDelta
	case r.Kind == fetch.CRL:
		by = byPoint
	}
	i.mu.Lock()
	p := i.served[by]
	i.mu.Unlock()
	switch {
	case p == nil && by == byDelta: // another failure would count for the host, which also serves the list
		return revocation.Response{}, fetch.HTTPStatusError{Status: http.StatusNotFound}
	case p == nil:
		return revocation.Response{}, revocation.ErrTransport
	}
	i.hear(*p)
	return revocation.Response{Body: i.bytes(nopTB{}, *p)}, nil
}

// Get is the store of an instance, which two instances share. It may return anything that was ever
// signed.
func (i *modelled) Get(ctx context.Context, key string) ([]byte, bool, error) {
	i.mu.Lock()
	evil := i.evil
	var all []proof
	for _, p := range i.said {
		if strings.HasPrefix(key, "o") == (p.by == byResponder) {
			all = append(all, p)
		}
	}
	var chosen proof
	if len(all) > 0 {
		chosen = all[i.random.IntN(len(all))]
	}
	i.mu.Unlock()
	if !evil {
		der, ok, err := i.shelf.Get(ctx, key)
		if ok {
			i.signed.mu.Lock()
			p, known := i.signed.are[string(der)]
			i.signed.mu.Unlock()
			if known {
				i.hear(p)
			}
		}
		return der, ok, err
	}
	if len(all) == 0 {
		return nil, false, fmt.Errorf("store down")
	}
	der := i.bytes(nopTB{}, chosen)
	if chosen.by == byFile { // it is equivalent to one from the distribution point
		chosen.by = byPoint
	}
	i.hear(chosen)
	return der, true, nil
}

func (i *modelled) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	return i.shelf.Set(ctx, key, der, ttl)
}

// nopTB is for operations that cannot fail.
type nopTB struct{ testing.TB }

func (nopTB) Helper()                   {}
func (nopTB) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (nopTB) FailNow()                  { panic("failed") }
