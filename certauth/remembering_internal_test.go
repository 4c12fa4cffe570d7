package certauth

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// factsIn are the facts of certificates, the leaf first, of which these stand in a chain.
func factsIn(t *testing.T, certs []*x509.Certificate, chain ...*x509.Certificate) *facts {
	t.Helper()
	f, refused := newFacts(certs)
	require.Nil(t, refused)
	if chain != nil {
		f.answers.remember(&chainNode{}, &chainAnswer{chains: []*verifiedChain{newVerifiedChain(chain)}})
	}
	return f
}

func keyOfCerts(certs ...*x509.Certificate) source.Key {
	var k source.Key
	for _, cert := range certs {
		k = append(k, string(cert.Raw))
	}
	return k
}

// The next request is recognised by the DER of its certificates. Facts about certificates that
// somebody has changed beside their DER are not facts about that DER.
func TestFacts_WhatDiffersFromItsDERIsNotRemembered(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing, unused := root.NewIntermediate(t, "Issuing").Certificate, root.NewIntermediate(t, "Unused").Certificate
	leaf := root.Issue(t, "client").Certificate
	changed := func(cert *x509.Certificate) *x509.Certificate {
		other := *cert
		other.NotAfter = other.NotAfter.AddDate(10, 0, 0)
		return &other
	}
	for _, tc := range []struct {
		name  string
		certs []*x509.Certificate
		chain bool // the first two stand in a chain
		want  bool
	}{
		{"a leaf, pinned", []*x509.Certificate{leaf}, false, true},
		{"a changed leaf, pinned", []*x509.Certificate{changed(leaf)}, false, false},
		{"a chain", []*x509.Certificate{leaf, issuing}, true, true},
		{"a changed leaf in a chain", []*x509.Certificate{changed(leaf), issuing}, true, false},
		{"a changed CA in a chain", []*x509.Certificate{leaf, changed(issuing)}, true, false},
		{"a changed CA in no chain", []*x509.Certificate{leaf, changed(unused)}, false, true},
		{"a changed CA beside a chain", []*x509.Certificate{leaf, issuing, changed(unused)}, true, true},
	} {
		var chain []*x509.Certificate
		if tc.chain {
			chain = append(tc.certs[:2:2], root.Certificate)
		}
		assert.Equal(t, tc.want, factsIn(t, tc.certs, chain...).memorable(keyOfCerts(tc.certs...)), tc.name)
	}
}

// What a caller sends along is bounded: 8 KiB beside twice the leaf, since text is longer
// than DER.
func TestFacts_LargeKeysAreNotRemembered(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client").Certificate
	f := factsIn(t, []*x509.Certificate{leaf})
	fits := 8192 + 2*len(leaf.Raw)
	assert.True(t, f.memorable(source.Key{strings.Repeat("x", fits)}))
	assert.False(t, f.memorable(source.Key{strings.Repeat("x", fits+1)}))
	big := func(size int) *source.Offer {
		return &source.Offer{Certificates: []*x509.Certificate{leaf, {Raw: make([]byte, size)}}}
	}
	assert.True(t, recognisable(big(8192)))
	assert.False(t, recognisable(big(8193)))
}

// keyedBy is a source that reads certificates from texts.
func keyedBy(decode func() ([]*x509.Certificate, error)) *source.Reader {
	return &source.Reader{Decode: func(source.Offer, func([]byte) error) ([]*x509.Certificate, error) { return decode() }}
}

// What was released is the same as long as somebody uses it, and is read again from the texts
// later: with the members of the chains that were found, without what cannot be used. A source
// that reads something else then has the leaf alone.
func TestFacts_WhatWasReleasedIsReadAgain(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing, unused := root.NewIntermediate(t, "Issuing").Certificate, root.NewIntermediate(t, "Unused").Certificate
	leaf := root.Issue(t, "client").Certificate
	parsed := func(cert *x509.Certificate) *x509.Certificate {
		again, err := x509.ParseCertificate(cert.Raw)
		require.NoError(t, err)
		return again
	}
	released := func(decode func() ([]*x509.Certificate, error)) (*facts, *sent) {
		f := factsIn(t, []*x509.Certificate{leaf, issuing, unused}, leaf, issuing, root.Certificate)
		f.key, f.source = source.Key{"text"}, keyedBy(decode)
		before := f.sent()
		f.release()
		require.Nil(t, f.presented.held.Load())
		return f, before
	}
	all := func() ([]*x509.Certificate, error) {
		return []*x509.Certificate{parsed(leaf), parsed(issuing), parsed(unused), parsed(leaf)}, nil
	}
	f, before := released(all)
	assert.Same(t, before, f.sent(), "somebody has it")
	runtime.KeepAlive(before)
	id := &Identity{}
	f.handOut(id)
	assert.Same(t, id, f.handedOut(), "somebody has it")
	runtime.KeepAlive(id)

	for _, tc := range []struct {
		name   string
		decode func() ([]*x509.Certificate, error)
		want   int
	}{
		{"the same", all, 3}, // a copy of the leaf is of no use
		{"nothing", func() ([]*x509.Certificate, error) { return nil, nil }, 1},
		{"an error", func() ([]*x509.Certificate, error) { p, _ := all(); return p, errors.New("no") }, 1},
		{"another leaf", func() ([]*x509.Certificate, error) {
			return []*x509.Certificate{parsed(issuing), parsed(unused)}, nil
		}, 1},
		{"a certificate that is none", func() ([]*x509.Certificate, error) {
			return []*x509.Certificate{parsed(leaf), {}}, nil
		}, 1},
		{"a panic", func() ([]*x509.Certificate, error) { panic("decode") }, 1},
	} {
		f := factsIn(t, []*x509.Certificate{leaf, issuing, unused}, leaf, issuing, root.Certificate)
		f.key, f.source = source.Key{"text"}, keyedBy(tc.decode)
		f.presented.held.Store(nil)
		again := f.sent()
		require.Len(t, again.certs, tc.want, tc.name)
		assert.Same(t, leaf, again.certs[0], tc.name)
		if tc.want > 1 {
			assert.Same(t, issuing, again.certs[1], "the member of the chain itself")
		}
		assert.Same(t, again, f.sent(), "%s: once for all who use it", tc.name)
		runtime.KeepAlive(again)
	}
}

// A presented certificate that stands in the chain of any Chain of the policy is used.
func TestFacts_ChainsOfEveryNodeCount(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	first, second, third := root.NewIntermediate(t, "1").Certificate, root.NewIntermediate(t, "2").Certificate, root.NewIntermediate(t, "3").Certificate
	leaf := root.Issue(t, "client").Certificate
	f := factsIn(t, []*x509.Certificate{leaf, first, second, third})
	for place, ca := range []*x509.Certificate{first, second, third} {
		f.answers.remember(&chainNode{place: place, among: &chainNodes{}}, &chainAnswer{chains: []*verifiedChain{newVerifiedChain([]*x509.Certificate{leaf, ca})}})
	}
	count := 0
	for range f.answers.all() {
		count++
	}
	assert.Equal(t, 3, count)
	for range f.answers.all() {
		count++
		break
	}
	assert.Equal(t, 4, count, "and it ends when nobody wants more")
	assert.True(t, f.usesAll([]*x509.Certificate{first, second, third}))
}

// The span of an answer ends where a date of a certificate passes, as it stands and moved by
// the skew: NotAfter still belongs to the validity (RFC 5280, section 4.1.2.5).
func TestSpan_EndsAtEveryDate(t *testing.T) {
	at := func(clock string) time.Time {
		day, err := time.Parse(time.TimeOnly, clock)
		require.NoError(t, err)
		return day.AddDate(2026, 0, 0)
	}
	cert := &x509.Certificate{NotBefore: at("10:00:00"), NotAfter: at("12:00:00")}
	const behind = time.Nanosecond
	for _, tc := range []struct {
		skew  time.Duration
		edges []time.Time
	}{
		{0, []time.Time{at("10:00:00"), at("12:00:00").Add(behind)}},
		{time.Second, []time.Time{at("09:59:59"), at("10:00:00"), at("10:00:01"), at("11:59:59").Add(behind), at("12:00:00").Add(behind), at("12:00:01").Add(behind)}},
		{5 * time.Minute, []time.Time{at("09:55:00"), at("10:00:00"), at("10:05:00"), at("11:55:00").Add(behind), at("12:00:00").Add(behind), at("12:05:00").Add(behind)}},
	} {
		edges := append([]time.Time{{}}, append(tc.edges, endOfTime)...)
		for i := range len(edges) - 1 {
			now := edges[i]
			if i == 0 {
				now = edges[1].Add(-time.Hour)
			}
			s := newSpan(now)
			s.watch(cert, tc.skew)
			assert.True(t, s.from.Equal(edges[i]), "skew %v at %v: from %v, want %v", tc.skew, now, s.from, edges[i])
			assert.True(t, s.until.Equal(edges[i+1]), "skew %v at %v: until %v, want %v", tc.skew, now, s.until, edges[i+1])
		}
	}
}

// A pool gives its things back when it likes, and may be empty for a route.
func TestRequire_NeedsNoEvaluationLeftOver(t *testing.T) {
	ca := certauthtest.NewCA(t, "Root")
	leaf := ca.Issue(t, "client").Certificate
	auth, err := New(Config{
		Source: SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{leaf}, nil }},
		Policy: Chain{Roots: Certificates(ca.Certificate)},
	})
	require.NoError(t, err)
	ran := false
	route := auth.Require(CommonNames{"client"})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true }))
	auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for auth.scratch.Get() != nil { //nolint:revive // until it is empty
		}
		route.ServeHTTP(w, r)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	assert.True(t, ran)
}

// badBody ends with an error when it is closed.
type badBody struct{ io.Reader }

func (badBody) Close() error { return io.ErrUnexpectedEOF }

// A body is handed on as it is, its errors included; a request without one gets none.
func TestTrailer_BodyIsHandedOnAsItIs(t *testing.T) {
	set, err := newHeaderSet([]string{"X-Client-Cert"})
	require.NoError(t, err)
	with := func(body io.ReadCloser) *http.Request {
		return set.withoutTrailers(&http.Request{Body: body, Trailer: http.Header{"X-Sum": nil}, ContentLength: -1})
	}
	assert.Nil(t, with(nil).Body)
	assert.Equal(t, http.NoBody, with(http.NoBody).Body)
	assert.ErrorIs(t, with(badBody{strings.NewReader("x")}).Body.Close(), io.ErrUnexpectedEOF)
}

// Trailers are copied once, and not at all when the handler has returned or while the body is
// being closed: net/http may be writing to them.
func TestTrailer_IsCopiedOnceAndInTime(t *testing.T) {
	set, err := newHeaderSet([]string{"X-Client-Cert"})
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
